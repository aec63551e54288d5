"""Dataset tokens end to end: layout, classes found, permutations, odd datasets, cache, text alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.errors import UserError
from hf_crosssight.tokens import dataset as room
from hf_crosssight.tokens.dataset import (
    DATASET_SPEC,
    GLOBAL_STATS,
    DatasetTokens,
    dataset_layout,
    dataset_token_dim,
    dataset_tokens,
    text_only_tokens,
)
from hf_crosssight.tokens.dataset_text import words_of
from hf_crosssight.tokens.image_encoder import default_encoder
from hf_crosssight.tokens.prototypes import PROTOTYPE_STATS

from .pictures import drawing, drawings

ROOT = Path(__file__).parents[2]
WIDTH = dataset_token_dim()


def part(tokens, name):
    return tokens.values[:, slice(*dataset_layout()[name])]


def fact(tokens, name):
    return float(part(tokens, "global")[-2, GLOBAL_STATS.index(name)])


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("tokens")


@pytest.fixture(scope="module")
def shapes(cache):
    return dataset_tokens(drawings(6), cache_dir=cache)


class MeanColour:
    """A tiny real encoder: the mean colour of a grid of 4 x 4 fields."""

    id = "mean-colour@1"
    dim = 48

    def __init__(self):
        self.images = 0

    def encode(self, images, progress=None):
        self.images += len(images)
        grids = [np.asarray(image.resize((4, 4), Image.Resampling.BOX), dtype=np.float32) for image in images]
        return np.stack(grids).reshape(len(images), -1) / 255


def test_layout_covers_the_width_without_gaps():
    layout = dataset_layout(768)
    assert list(layout) == ["kind", "prototype", "stats", "global", "text"]
    edges = [0]
    for start, stop in layout.values():
        assert start == edges[-1] < stop
        edges.append(stop)
    assert edges[-1] == dataset_token_dim(768) == dataset_token_dim(1280) - 1280 + 768


def test_tokens_of_a_labelled_dataset(shapes):
    assert shapes.names == ("disc", "box", "stripes", "global", "text")
    assert shapes.values.shape == (5, WIDTH)
    assert shapes.values.dtype == np.float32
    assert shapes.has_images
    assert (shapes.encoder, shapes.text_encoder) == (default_encoder().id, "all-MiniLM-L6-v2@53aa51172d14")
    np.testing.assert_array_equal(part(shapes, "kind"), np.eye(3)[[0, 0, 0, 1, 2]])
    for name, rows in {"prototype": [0, 1, 2], "stats": [0, 1, 2], "global": [3], "text": [4]}.items():
        block = part(shapes, name)
        assert block[rows].any(1).all()
        assert not np.delete(block, rows, 0).any()
    assert fact(shapes, "nearest_neighbour") > 0.7  # chance: 0.33
    assert 0 < fact(shapes, "fisher") < 1


def test_values_are_of_unit_scale(shapes):
    assert 0.5 < np.sqrt((part(shapes, "prototype")[:3] ** 2).mean()) <= 1
    assert np.abs(part(shapes, "prototype")).max() < 12
    assert np.sqrt((part(shapes, "text")[-1, :384] ** 2).mean()) == pytest.approx(1, abs=1e-5)
    assert np.abs(part(shapes, "stats")).max() <= 1.5
    assert np.abs(part(shapes, "global")).max() <= 1.5


def test_order_of_images_does_not_matter(shapes, cache):
    sample = drawings(6)
    order = np.random.default_rng(0).permutation(len(sample.images))
    images, labels = [sample.images[i] for i in order], sample.labels[order]
    shuffled = dataset_tokens(drawings(6, images=images, labels=labels, fingerprint="shuffled"), cache_dir=cache)
    assert shuffled.names == shapes.names
    np.testing.assert_allclose(shuffled.values, shapes.values, atol=2e-4)


def test_numbering_of_classes_only_orders_prototypes(shapes, cache):
    names, labels = ("stripes", "box", "disc"), 2 - drawings(6).labels
    renumbered = drawings(6, labels=labels, class_names=names, fingerprint="renumbered")
    tokens = dataset_tokens(renumbered, cache_dir=cache)
    assert tokens.names[:3] == names
    np.testing.assert_allclose(tokens.values[[2, 1, 0, 3, 4]], shapes.values, atol=1e-5)


def test_computed_twice_is_equal_to_the_byte(shapes, tmp_path):
    again = dataset_tokens(drawings(6), cache_dir=tmp_path)
    assert again.values.tobytes() == shapes.values.tobytes()


@pytest.mark.parametrize("labels", [[0, 1], [0, 0], [0, 1, 2, 3, 4], [0, 0, 0, 1]])
@pytest.mark.parametrize("constant", [True, False])
def test_few_and_constant_images(labels, constant, tmp_path):
    images = [Image.new("RGB", (9, 5), (80, 80, 80)) if constant else drawing("disc", i) for i in range(len(labels))]
    sample = drawings(1, images=images, labels=np.array(labels), class_names=tuple("abcde"), description="")
    tokens = dataset_tokens(sample, MeanColour(), cache_dir=tmp_path)
    assert len(tokens.values) == max(labels) + 3
    assert np.isfinite(tokens.values).all()
    assert np.abs(tokens.values).max() < 12
    assert bool(tokens.warnings) == (len(set(labels)) == len(labels))


def test_classes_without_images_are_left_out(tmp_path):
    sample = drawings(2, labels=np.array([0, 0, 3, 3, 5, 5]), class_names=tuple("abcdef"), num_classes=6)
    tokens = dataset_tokens(sample, MeanColour(), cache_dir=tmp_path)
    assert tokens.names == ("a", "d", "f", "global", "text")


def test_unlabelled_images_give_clusters(tmp_path):
    sample = drawings(8, labels=None, class_names=(), num_classes=None)
    tokens = dataset_tokens(sample, MeanColour(), cache_dir=tmp_path)
    clusters = len(tokens.values) - 2
    assert 2 <= clusters <= 24 // 4
    assert tokens.names[:2] == ("cluster 1", "cluster 2")
    assert (part_of(tokens, "stats", 48)[:clusters, PROTOTYPE_STATS.index("unlabelled")] == 1).all()
    whole = part_of(tokens, "global", 48)[-2]
    assert whole[GLOBAL_STATS.index("labelled")] == whole[GLOBAL_STATS.index("classes_known")] == 0
    assert whole[GLOBAL_STATS.index("has_images")] == 1
    assert "no labels" in tokens.warnings[0]
    assert "24 images" in tokens.warnings[0]


def part_of(tokens, name, feature_dim):
    return tokens.values[:, slice(*dataset_layout(feature_dim)[name])]


def test_more_than_64_classes_share_prototypes(tmp_path):
    random = np.random.default_rng(0)
    images = [Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(100)]
    names = tuple(f"kind {chr(97 + i // 10)}{chr(97 + i % 10)}" for i in range(100))
    sample = drawings(1, images=images, labels=np.arange(100), class_names=names, num_classes=300)
    tokens = dataset_tokens(sample, MeanColour(), cache_dir=tmp_path)
    assert tokens.values.shape == (66, dataset_token_dim(48))
    told = sum(name.count("kind") + (int(name.split()[-2]) if name.endswith("more") else 0) for name in tokens.names)
    assert told == 100


def test_features_that_are_not_finite_are_refused(tmp_path):
    class Broken(MeanColour):
        def encode(self, images, progress=None):
            return super().encode(images) * np.nan

    with pytest.raises(UserError, match="mean-colour@1 gives features that are not finite"):
        dataset_tokens(drawings(2), Broken(), cache_dir=tmp_path)
    with pytest.raises(UserError, match="no image"):
        dataset_tokens(drawings(2, images=[]), MeanColour(), cache_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_cache_is_used_and_keyed_by_what_matters(tmp_path):
    encoder = MeanColour()
    first = dataset_tokens(drawings(2), encoder, cache_dir=tmp_path)
    again = dataset_tokens(drawings(2), encoder, cache_dir=tmp_path)
    assert encoder.images == 6
    assert again.values.tobytes() == first.values.tobytes()
    assert (again.names, again.encoder, again.warnings) == (first.names, first.encoder, first.warnings)
    for change in (
        {"fingerprint": "other"},
        {"description": "other"},
        {"num_rows": 5},
        {"class_names": ("a", "b", "c")},
    ):
        before = encoder.images
        dataset_tokens(drawings(2, **change), encoder, cache_dir=tmp_path)
        assert encoder.images == before + 6, change
    encoder.id = "mean-colour@2"
    assert dataset_tokens(drawings(2), encoder, cache_dir=tmp_path).encoder == "mean-colour@2"


@pytest.mark.parametrize("damage", [b"", b"\x08", b"\xff" * 64, None, "half"])
def test_a_broken_cache_file_is_computed_anew(damage, tmp_path):
    encoder = MeanColour()
    first = dataset_tokens(drawings(2), encoder, cache_dir=tmp_path)
    (file,) = tmp_path.iterdir()
    if damage is None:  # a file of another kind
        from safetensors.numpy import save_file

        save_file({"values": first.values}, file)
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if damage == "half" else damage)
    again = dataset_tokens(drawings(2), encoder, cache_dir=tmp_path)
    assert again.values.tobytes() == first.values.tobytes()
    assert encoder.images == 12
    assert DatasetTokens.load(file).names == first.names


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path):
    (tmp_path / "file").write_text("in the way")
    tokens = dataset_tokens(drawings(2), MeanColour(), cache_dir=tmp_path / "file")
    assert len(tokens.values) == 5
    assert os.listdir(tmp_path) == ["file"]


def test_the_default_cache_lies_in_the_hugging_face_home(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    dataset_tokens(drawings(2), MeanColour())
    assert len(list((tmp_path / "crosssight" / "dataset_tokens").glob("*.safetensors"))) == 1


def test_a_cache_hit_loads_neither_torch_nor_an_encoder(shapes, cache):
    code = (
        "import sys; from tests.tokens.pictures import drawings;"
        "from hf_crosssight.tokens.dataset import dataset_tokens;"
        f"print(len(dataset_tokens(drawings(6), cache_dir={str(cache)!r}).values));"
        "assert not {'torch', 'transformers', 'sklearn', 'scipy'} & set(sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "5"


def test_save_and_load(shapes, tmp_path):
    shapes.save(tmp_path / "own.safetensors")
    loaded = DatasetTokens.load(tmp_path / "own.safetensors")
    assert loaded.values.tobytes() == shapes.values.tobytes()
    assert (loaded.names, loaded.has_images, loaded.encoder) == (shapes.names, True, shapes.encoder)


def test_other_specs_and_damaged_values_are_refused(shapes, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "DATASET_SPEC", "dataset-tokens/0")
    shapes.save(tmp_path / "old.safetensors")
    monkeypatch.undo()
    with pytest.raises(ValueError, match=f"does not hold {DATASET_SPEC}"):
        DatasetTokens.load(tmp_path / "old.safetensors")
    values = shapes.values.copy()
    values[0, 0] = np.nan
    DatasetTokens(values, shapes.names, "e", "t", True).save(tmp_path / "nan.safetensors")
    with pytest.raises(ValueError, match="damaged"):
        DatasetTokens.load(tmp_path / "nan.safetensors")


def test_text_alone():
    tokens = text_only_tokens("photographs of cars", ["Audi A4", "BMW X5"], num_images=8144)
    assert tokens.names == ("global", "text")
    assert tokens.values.shape == (2, WIDTH)
    assert not tokens.has_images
    assert [fact(tokens, name) for name in ("has_images", "labelled", "classes_known", "rows_known")] == [0, 0, 1, 1]
    assert fact(tokens, "log_classes") == pytest.approx(np.log(3) / np.log(1001))
    assert part(tokens, "text")[-1, -3:-1].tolist() == [1, 1]
    empty = text_only_tokens("")
    assert np.array_equal(empty.values[:, 3:], np.zeros((2, WIDTH - 3)))


def test_text_means_what_it_says():
    def text(description, names=()):
        return part(text_only_tokens(description, names), "text")[-1, :384]

    cars = text("photographs of cars", ["sedan", "convertible"])
    near, far = text("pictures of automobiles", ["coupe", "pickup truck"]), text("tumours", ["glioma", "meningioma"])
    assert cars @ near > cars @ far + 0.3 * 384
    assert np.array_equal(text("cars", ["b c", "a d"]), text("cars", ["a_d", "b-c"]))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["0", "1", "2"], []),
        (["class_0", "class_1"], []),
        (["n01440764", "n01443537"], []),
        (["maine_coon", "AmericanBulldog"], ["American Bulldog", "maine coon"]),
        (["T-shirt/top", "Dress", "Dress"], ["Dress", "T shirt top"]),
        (["Audi A4 2012", "7", "8"], []),
        ([], []),
    ],
)
def test_names_that_are_words(names, words):
    assert words_of(names) == words
