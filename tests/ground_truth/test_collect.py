"""The fine-tuning factory on drawn shapes and tiny networks: what it measures, what it refuses, how it goes on."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.cli.ground_truth import app
from hf_crosssight.errors import UserError
from hf_crosssight.ground_truth import runs
from hf_crosssight.ground_truth.collect import Collected, collect
from hf_crosssight.ground_truth.collected_table import COLUMNS, TIMED
from hf_crosssight.ground_truth.feature_classifiers import (
    TaskFeatures,
    head_predictions,
    knn_predictions,
    quality,
    ridge_predictions,
)
from hf_crosssight.ground_truth.forward_cost import ForwardCost
from hf_crosssight.ground_truth.labelled_images import expand_datasets, load_images, resized
from hf_crosssight.ground_truth.model_sources import UnusableModelError, find_models, load_classifier
from hf_crosssight.ground_truth.recipes import make_recipe
from hf_crosssight.ground_truth.record_store import Record, RecordStore
from hf_crosssight.ground_truth.splits import SplitSizes, balanced_rows, classes_left_out, draw_split
from hf_crosssight.ground_truth.tidy_tables import load_tidy

from .small_world import CLASSES, draw, png, write_dataset, write_resnet, write_vit


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`zoo/org/{first,second,grey}` and `data/acme/{shapes,own}`."""
    root = tmp_path_factory.mktemp("world")
    write_resnet(root / "zoo/org/first", card="datasets: [acme/own]")
    write_resnet(root / "zoo/org/second", seed=1, width=6, card="base_model: org/first\ndatasets: [acme/other]")
    write_resnet(root / "zoo/org/grey", num_channels=1)
    (root / "zoo/org/text").mkdir()
    (root / "zoo/org/text/config.json").write_text(json.dumps({"architectures": ["BertForMaskedLM"]}))
    (root / "zoo/org/pickled").mkdir()
    (root / "zoo/org/pickled/config.json").write_text(json.dumps({"architectures": ["ViTForImageClassification"]}))
    write_dataset(root / "data/acme/shapes")
    write_dataset(root / "data/acme/own", train=30, test=9, seed=1, broken=2)
    return root


FULL = make_recipe("full", max_train=24, epochs=2, learning_rates=(1e-3, 1e-2))
RECIPES = [make_recipe("knn"), make_recipe("head"), FULL]


@pytest.fixture(scope="module")
def collected(world: Path) -> Path:
    found = collect([str(world / "zoo")], [str(world / "data/acme")], world / "table", recipes=RECIPES, offline=True)
    assert found.missing == 0
    assert found.warnings[0] == "acme/own: 2 images cannot be decoded and were left out"
    assert "acme/own: 23 training images, 24 were asked for" in found.warnings
    assert not any("acme/shapes: 24" in warning for warning in found.warnings)
    assert sum(found.causes.values()) == 12
    assert found.causes["it takes images of 1 channels"] == 8
    assert found.skipped == {
        "org/text": "it is no image classifier of transformers",
        "org/pickled": "it has no safetensors file",
    }
    return found.folder


def rows(folder: Path, recipe: str) -> list[Record]:
    import pyarrow.parquet as pq

    return pq.read_table(folder / "data" / f"{recipe}.parquet").to_pylist()


def test_every_pair_recipe_and_seed_has_a_row(collected: Path) -> None:
    for recipe in ("full", "head", "knn"):
        found = [(row["model_id"], row["dataset_id"], row["seed"]) for row in rows(collected, recipe)]
        models, datasets = ("org/first", "org/grey", "org/second"), ("acme/own", "acme/shapes")
        assert sorted(found) == sorted((m, d, s) for m in models for d in datasets for s in (0, 1))


def test_a_row_says_all_that_was_done(collected: Path) -> None:
    row = rows(collected, "full")[0]
    assert list(row) == list(COLUMNS)
    assert row["status"] == "ok"
    assert row["learning_rate"] in (1e-3, 1e-2)
    assert (row["train_images"], row["classes"], row["image_size"], row["trials"]) == (23, 3, 64, 2)
    assert row["steps"] == 2  # one batch an epoch
    assert row["test_images"] == 9 and row["validation_images"] == 5  # noqa: PT018
    assert row["model_revision"].startswith("weights-")
    assert row["dataset_revision"].startswith("pixels-")
    assert row["step_seconds"] <= row["train_seconds"] <= row["seconds"]
    assert row["params"] > 0
    assert row["forward_ms"] > 0
    assert row["carbon_g"] is None  # codecarbon was not told the country
    assert "torch " in row["versions"]
    for name in ("accuracy", "precision", "recall", "f1", "accuracy_first_400", "validation_accuracy"):
        assert 0 <= row[name] <= 1


def test_the_rate_that_is_best_on_validation_is_chosen_and_reused(collected: Path) -> None:
    with RecordStore(collected) as store:
        records = [record for record in store if record["model_id"] == "org/first" and record["recipe"] == "full"]
    for dataset in ("acme/own", "acme/shapes"):
        trials = [r for r in records if r["kind"] == "trial" and r["dataset_id"] == dataset]
        grid = sorted((r for r in trials if r["seed"] == 0), key=lambda r: r["learning_rate"])
        assert [r["learning_rate"] for r in grid] == [1e-3, 1e-2]
        best = grid[1] if grid[1]["validation_accuracy"] > grid[0]["validation_accuracy"] else grid[0]
        assert [r["learning_rate"] for r in trials if r["seed"] == 1] == [best["learning_rate"]]
        results = [r for r in records if r["kind"] == "result" and r["dataset_id"] == dataset]
        assert results[0]["accuracy"] == best["accuracy"] is not None
        assert results[1]["trials"] == 1


def test_a_model_that_cannot_be_used_is_failed_with_its_cause(collected: Path) -> None:
    everything = [row for recipe in ("full", "head", "knn") for row in rows(collected, recipe)]
    failed = [row for row in everything if row["status"] == "failed"]
    assert {row["model_id"] for row in failed} == {"org/grey"}
    assert all(row["accuracy"] is None and "1 channels" in row["cause"] for row in failed)
    assert len(failed) == 12


def test_self_transfer_is_marked_along_the_lineage(collected: Path) -> None:
    marked = {(row["model_id"], row["dataset_id"]) for row in rows(collected, "knn") if row["self_transfer"]}
    assert marked == {("org/first", "acme/own"), ("org/second", "acme/own")}


def test_a_call_with_fewer_models_keeps_what_is_known_of_the_others(world: Path, collected: Path) -> None:
    before = {recipe: rows(collected, recipe) for recipe in ("full", "head", "knn")}
    collect([str(world / "zoo/org/second")], [str(world / "data/acme/own")], collected, recipes=[FULL], offline=True)
    assert {recipe: rows(collected, recipe) for recipe in before} == before


def test_the_table_is_a_dataset_that_datasets_loads(collected: Path, tmp_path: Path) -> None:
    import datasets

    full = datasets.load_dataset(str(collected), "full", split="train", cache_dir=str(tmp_path))
    assert full.num_rows == 12
    assert full[0]["model_id"] == "org/first"
    assert datasets.get_dataset_config_names(str(collected)) == ["full", "head", "knn"]
    assert set(load_tidy(collected)) == {"full", "head", "knn"}


def test_going_on_after_a_cut_gives_the_same_table(world: Path, collected: Path) -> None:
    before = {recipe: rows(collected, recipe) for recipe in ("full", "head", "knn")}
    for path in (collected / "records").glob("*.jsonl"):
        content = path.read_bytes()
        path.write_bytes(content[: 2 * len(content) // 3])
    found = collect([str(world / "zoo")], [str(world / "data/acme")], collected, recipes=RECIPES[::-1], offline=True)
    assert found.missing == 0
    for recipe, expected in before.items():
        got = rows(collected, recipe)
        assert [untimed(row) for row in got] == [untimed(row) for row in expected]


def untimed(row: Record) -> Record:
    return {name: value for name, value in row.items() if name not in TIMED}


def test_nothing_is_done_when_nothing_is_missing(
    world: Path, collected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "load_classifier", lambda *_: pytest.fail("a model was loaded again"))
    found = collect([str(world / "zoo")], [str(world / "data/acme")], collected, recipes=RECIPES, offline=True)
    assert (found.missing, found.failed) == (0, 12)


def test_changed_weights_are_refused(world: Path, collected: Path, tmp_path: Path) -> None:
    write_resnet(tmp_path / "zoo/org/first", seed=5)
    with pytest.raises(UserError, match="records of org/first"):
        collect([str(tmp_path / "zoo")], [str(world / "data/acme")], collected, recipes=RECIPES, offline=True)


def test_changed_images_are_refused(world: Path, collected: Path, tmp_path: Path) -> None:
    write_dataset(tmp_path / "acme/shapes", seed=7)
    with pytest.raises(UserError, match="records of acme/shapes"):
        collect(
            [str(world / "zoo")], [str(tmp_path / "acme/shapes")], collected, recipes=[make_recipe("knn")], seeds=3,
            offline=True,
        )  # fmt: skip


def test_a_run_that_diverges_is_failed_and_not_accuracy_zero(world: Path, tmp_path: Path) -> None:
    recipe = make_recipe("full", max_train=24, epochs=2, learning_rates=(1e30,))
    found = collect(
        [str(world / "zoo")], [str(world / "data/acme/shapes")], tmp_path, recipes=[recipe], seeds=2,
        only=["org/first"], offline=True,
    )  # fmt: skip
    assert found.failed == 2
    for row in rows(tmp_path, "full"):
        assert row["accuracy"] is None
        assert "the loss is nan after" in row["cause"]
    with pytest.raises(UserError, match="holds no result"):
        load_tidy(tmp_path)


def test_out_of_memory_halves_the_batch_and_is_recorded(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hf_crosssight.ground_truth import training_loop

    step = training_loop._step
    sizes = []

    def scarce(model: object, pixels: np.ndarray, *rest: object) -> float:
        sizes.append(len(pixels))
        if len(pixels) > 8:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return step(model, pixels, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(training_loop, "_step", scarce)
    recipe = make_recipe("full", max_train=24, epochs=1, learning_rates=(1e-3,))
    collect(
        [str(world / "zoo")], [str(world / "data/acme/shapes")], tmp_path, recipes=[recipe], seeds=1,
        only=["org/first"], offline=True,
    )  # fmt: skip
    [row] = rows(tmp_path, "full")
    assert (row["status"], row["batch_size"], row["steps"]) == ("ok", 8, 3)
    assert sizes == [24, 16, 8, 8, 8]


def full_disk(path: Path) -> AbstractContextManager[Path]:
    raise OSError(28, f"No space left on device: {path}")


@pytest.mark.parametrize("what", ["pooled_features", "collected_table"])
def test_a_full_disk_is_told_and_the_same_call_goes_on(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def again() -> Collected:
        return collect(
            [str(world / "zoo/org/first")], [str(world / "data/acme/shapes")], tmp_path,
            recipes=[make_recipe("knn")], seeds=1, offline=True,
        )  # fmt: skip

    with monkeypatch.context() as patch:
        patch.setattr(f"hf_crosssight.ground_truth.{what}.atomic_file", full_disk)
        with pytest.raises(UserError, match=r"cannot be written.*No space left"):
            again()
    assert not list((tmp_path / "data").glob("*"))
    assert again().records == 1


def test_small_figures_of_a_forward_pass_are_not_rounded_to_nothing(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cost = ForwardCost(1.23456789, 40.0, None, None, 4.56789123e-6, "a device")
    monkeypatch.setattr(runs, "measure_forward", lambda *_: cost)
    collect(
        [str(world / "zoo/org/first")], [str(world / "data/acme/shapes")], tmp_path, recipes=[make_recipe("knn")],
        seeds=1, offline=True,
    )  # fmt: skip
    [row] = rows(tmp_path, "knn")
    assert (row["forward_ms"], row["carbon_g"], row["power_w"]) == (1.23457, 4.56789e-6, None)


# datasets


def test_images_of_a_folder(world: Path) -> None:
    images = load_images(str(world / "data/acme/own"), 16, offline=True)
    assert images.id == "acme/own"
    assert images.images.shape == (37, 3, 16, 16)
    assert images.warnings == ("2 images cannot be decoded and were left out",)
    assert images.in_test.sum() == 9
    assert images.class_names == ("disc", "stripes", "square")
    assert np.array_equal(resized(images.images, 8).shape, (37, 3, 8, 8))
    assert expand_datasets([str(world / "data/acme"), "digits"]) == [
        str(world / "data/acme/own"), str(world / "data/acme/shapes"), "digits"
    ]  # fmt: skip


def test_a_folder_of_splits_of_class_folders_is_one_dataset(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(CLASSES):
            (tmp_path / "own" / split / name).mkdir(parents=True)
            for row in range(count):
                picture = draw(label, np.random.default_rng(row), 16)
                (tmp_path / "own" / split / name / f"{row}.png").write_bytes(png(picture))
    assert expand_datasets([str(tmp_path / "own")]) == [str(tmp_path / "own")]
    images = load_images(str(tmp_path / "own"), 16, offline=True)
    assert (len(images.images), int(images.in_test.sum()), images.class_names) == (15, 6, tuple(sorted(CLASSES)))


def test_the_digits_of_scikit_learn() -> None:
    images = load_images("digits", 8)
    assert images.images.shape == (1797, 3, 8, 8)
    assert images.in_test.sum() == 449
    assert np.array_equal(images.labels[:3], [0, 1, 2])


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_folders_that_are_no_datasets(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError):
        expand_datasets([str(tmp_path / "empty")])
    if name == "empty":
        with pytest.raises(UserError, match="cannot be read"):
            load_images(str(tmp_path / "empty"), 8)


def test_splits_are_balanced_disjoint_and_seeded(world: Path) -> None:
    images = load_images(str(world / "data/acme/shapes"), 8, offline=True)
    split = draw_split(images, 0, SplitSizes(train=21, validation=6, test=40))
    assert [len(part) for part in (split.train, split.validation, split.test)] == [21, 6, 40]
    everything = np.concatenate([split.train, split.validation, split.test])
    assert len(np.unique(everything)) == len(everything)
    assert np.bincount(images.labels[split.train]).tolist() == [7, 7, 7]
    assert np.bincount(images.labels[split.validation]).tolist() == [2, 2, 2]
    assert images.in_test[split.test[:24]].all()
    assert not images.in_test[split.train].any()
    again, other = draw_split(images, 0, SplitSizes(train=21, validation=6, test=40)), draw_split(images, 1)
    assert again.hash == split.hash != other.hash
    assert not np.array_equal(other.train[:5], split.train[:5])
    assert np.array_equal(other.test[:24], split.test[:24])  # the first test images are the same for every seed


def test_fewer_images_than_asked_and_too_few_classes(tmp_path: Path) -> None:
    few = load_images(str(write_dataset(tmp_path / "few", train=12, test=0)), 8, offline=True)
    split = draw_split(few, 0)
    assert [len(part) for part in (split.train, split.validation, split.test)] == [8, 1, 3]
    one = load_images(str(write_dataset(tmp_path / "one", train=12, test=6, classes=1)), 8, offline=True)
    with pytest.raises(UserError, match="1 class"):
        draw_split(one, 0)


def test_classes_of_too_few_images_are_named(tmp_path: Path) -> None:
    images = load_images(str(write_dataset(tmp_path / "d", train=8, test=4, classes=2)), 8, offline=True)
    assert classes_left_out(images) == ()
    rare = replace(images, labels=np.where(np.arange(12) == 1, 2, images.labels), class_names=("a", "b", "one image"))
    assert classes_left_out(rare) == ("one image",)
    only_tested = replace(images, labels=np.where(images.in_test, 2, images.labels), class_names=("a", "b", "test"))
    assert classes_left_out(only_tested) == ("test",)
    assert draw_split(only_tested, 0).classes.tolist() == [0, 1]


def test_balanced_rows_give_rare_classes_all_they_have() -> None:
    labels = np.array([0] * 10 + [1] * 2 + [2] * 10)
    rows_ = balanced_rows(labels, np.arange(22), 12, np.random.default_rng(0))
    assert np.bincount(labels[rows_]).tolist() == [5, 2, 5]
    assert len(balanced_rows(labels, np.arange(22), 99, np.random.default_rng(0))) == 22


# models


def test_models_are_loaded_with_a_new_head_and_repaired(tmp_path: Path) -> None:
    import torch
    from transformers import MobileNetV1Config, MobileNetV1ForImageClassification

    config = MobileNetV1Config(depth_multiplier=0.1, min_depth=8, image_size=64, num_labels=7)
    MobileNetV1ForImageClassification(config).save_pretrained(tmp_path / "mobile")
    [source], _ = find_models([str(tmp_path / "mobile")])
    classifier = load_classifier(source, classes=5, seed=0)
    assert classifier.head.out_features == 5
    assert classifier.model.config.num_labels == 5
    batch_norms = [m for m in classifier.model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {module.momentum for module in batch_norms} == {0.1}  # the library's own would be 0.9997
    assert {m.p for m in classifier.model.modules() if isinstance(m, torch.nn.Dropout)} == {0.0}  # and this 0.999


def test_sizes_that_do_not_fit_are_adapted(tmp_path: Path) -> None:
    write_vit(tmp_path / "zoo/small", image_size=32)
    write_vit(tmp_path / "zoo/large", image_size=96)
    sources, _ = find_models([str(tmp_path / "zoo")])
    large, small = (load_classifier(source, classes=3, seed=0) for source in sources)
    assert (small.side, small.model.crosssight_input_options) == (32, {})
    assert (large.side, large.model.crosssight_input_options) == (64, {"interpolate_pos_encoding": True})


def test_pixels_are_scaled_as_the_processor_says(tmp_path: Path) -> None:
    write_resnet(tmp_path / "zoo/a")
    [source], _ = find_models([str(tmp_path / "zoo")])
    assert load_classifier(source, 2, 0).normalisation.mean == (0.45, 0.45, 0.45)
    (source.folder / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5], "size": {"height": 48, "width": 48}})
    )
    found = load_classifier(source, 2, 0)
    assert (found.normalisation.mean, found.normalisation.std, found.side) == ((0.1, 0.2, 0.3), (0.5,) * 3, 48)


def test_broken_weights_are_a_reason(tmp_path: Path) -> None:
    write_resnet(tmp_path / "zoo/a")
    path = tmp_path / "zoo/a/model.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    [source], _ = find_models([str(tmp_path / "zoo")])
    with pytest.raises(UnusableModelError, match="truncated"):
        load_classifier(source, 2, 0)


def test_an_empty_zoo_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model"):
        find_models([str(tmp_path)])


# classifiers on features, qualities


def test_nearest_neighbours_by_hand() -> None:
    features = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [-1, 0]], dtype=np.float32)
    labels = np.array([0, 0, 1, 1, 2])
    asked = np.array([[2, 0.1], [0, 5], [-3, 0]], dtype=np.float32)
    assert knn_predictions((features, labels), asked, neighbours=1).tolist() == [0, 1, 2]
    assert knn_predictions((features, labels), asked, neighbours=3).tolist()[:2] == [0, 1]


def test_heads_separate_what_is_separable() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(4, 12)) * 3

    def part(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(0, 4, count)
        features = (centres[labels] + rng.normal(size=(count, 12))).astype(np.float32)
        features[:, 3] = 7.0  # a feature that says nothing
        return features, labels

    task = TaskFeatures(part(120), part(40), part(200))
    predicted, strength, on_validation = head_predictions(task)
    assert (predicted == task.test[1]).mean() > 0.95
    assert on_validation > 0.9
    assert strength in (0.01, 0.1, 1.0)
    assert (ridge_predictions(task.train, task.test[0]) == task.test[1]).mean() > 0.95
    narrow = (task.train[0][:9], task.train[1][:9])  # fewer images than features: the other system of equations
    assert ridge_predictions(narrow, task.test[0]).shape == (200,)


def test_ridge_solves_both_systems_alike() -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(12, 12)), rng.integers(0, 3, 12)
    asked = rng.normal(size=(50, 12))
    wide = np.concatenate([features, np.zeros((12, 1))], axis=1)  # one column more: dual instead of primal
    first = ridge_predictions((wide, labels), np.concatenate([asked, np.zeros((50, 1))], axis=1), 0.5 * 13 / 13)
    tall = np.concatenate([features, features]), np.concatenate([labels, labels])
    assert (first == ridge_predictions(tall, asked, 0.5)).mean() > 0.9


def test_qualities_by_hand() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1, 3]), np.array([0, 0, 1, 1, 2, 2])
    found = quality(predicted, labels)
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.precision == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert found.recall == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found.f1 == pytest.approx((0.8 + 0.5 + 0) / 3)


# the command


def test_settings_that_make_no_sense(world: Path, tmp_path: Path) -> None:
    arguments = ["collect", "--zoo", str(world / "zoo"), "--dataset", "digits", "--out", str(tmp_path / "t")]
    for option in (["--recipe", "half"], ["--max-train", "1"], ["--epochs", "0"], ["--lr", "-1"], ["--seeds", "0"],
                   ["--precision", "int4"], ["--model", "org/none"]):  # fmt: skip
        with pytest.raises(UserError):
            app([*arguments, *option], standalone_mode=False)
    assert not (tmp_path / "t" / "data").exists()


def test_values_may_follow_one_another(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(
        ["collect", "--zoo", str(world / "zoo/org/first"), str(world / "zoo/org/second"), "--dataset",
         str(world / "data/acme/shapes"), "--recipe", "full", "--lr", "1e-3", "1e30", "--max-train", "8", "--epochs",
         "1", "--seeds", "1", "--out", str(tmp_path), "--offline", "--format", "json"],
        standalone_mode=False,
    )  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert (told["results"], told["failed"], told["causes"]) == (2, 0, {})
    assert told["warnings"] == []
    assert {row["trials"] for row in rows(tmp_path, "full")} == {2}
    with pytest.raises(Exception, match="unexpected extra argument"):
        app(["make-zoo", "--datasets", "digits", "--out", str(tmp_path), "here"], standalone_mode=False)


def test_the_commands_tell_what_they_did(world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(
        ["collect", "--zoo", str(world / "zoo"), "--model", "org/first", "--dataset", str(world / "data/acme/shapes"),
         "--recipe", "knn", "--out", str(tmp_path), "--offline", "--format", "json", "--resume"],
        standalone_mode=False,
    )  # fmt: skip
    told = json.loads(capsys.readouterr().out)
    assert (told["results"], told["failed"], told["not_begun"]) == (2, 0, 0)
    app(["info", str(tmp_path), "--format", "json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert told["tables"]["knn"]["pairs"] == 1
    assert told["tables"]["knn"]["seeds"] == 2
    assert told["throughput"] is None


# class subsets


def test_class_subsets_are_measured_and_not_copied(world: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    found = collect(
        [str(world / "zoo")], [str(world / "data/acme/shapes")], tmp_path, recipes=[], subsets=5,
        only=["org/first", "org/grey"], offline=True,
    )  # fmt: skip
    assert found.missing == 0
    ridge = pq.read_table(tmp_path / "data" / "ridge-subsets.parquet").to_pylist()
    assert {row["model_id"] for row in ridge} == {"org/first"}  # the other takes no colour images
    assert [row["dataset_id"] for row in ridge] == [f"acme/shapes#00{number}" for number in range(3)]
    assert sorted(row["classes"] for row in ridge) == [[0, 1], [0, 2], [1, 2]]  # three classes have no other subsets
    assert {row["train_images"] for row in ridge} <= set(range(20, 32))
    assert all(0 <= row["accuracy"] <= 1 for row in ridge)
    assert list(load_tidy(tmp_path)) == ["knn-subsets", "ridge-subsets"]


def test_more_subsets_hold_the_fewer(world: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for count in (2, 3, 1):
        collect(
            [str(world / "zoo/org/first")], [str(world / "data/acme/shapes")], tmp_path, recipes=[], subsets=count,
            offline=True,
        )  # fmt: skip
    found = pq.read_table(tmp_path / "data" / "knn-subsets.parquet").to_pylist()
    assert [row["dataset_id"] for row in found] == [f"acme/shapes#00{number}" for number in range(3)]
    with RecordStore(tmp_path) as store:
        two, three = (next(r for r in store if r["protocol"] == f"{n} subsets of seed 0") for n in (2, 3))
    assert two["accuracies"]["knn-subsets"] == three["accuracies"]["knn-subsets"][:2]


def test_subset_tasks_and_their_accuracies(world: Path) -> None:
    from hf_crosssight.ground_truth.class_subsets import subset_accuracies, subset_tasks

    images = load_images(str(world / "data/acme/shapes"), 8, offline=True)
    split = draw_split(images, 0)
    tasks = subset_tasks(images, split, 9)
    assert [task.classes.tolist() for task in tasks] == [
        task.classes.tolist() for task in subset_tasks(images, split, 9)
    ]
    for task in tasks:
        assert set(images.labels[task.train]) == set(images.labels[task.test]) == set(task.classes)
        assert set(task.train) <= set(split.train)
        assert set(task.test) <= set(split.test)
    telling = np.eye(3)[images.labels] + 0.01 * np.random.default_rng(0).normal(size=(len(images.labels), 3))
    assert subset_accuracies(telling, images.labels, tasks) == {"knn-subsets": [1.0] * 3, "ridge-subsets": [1.0] * 3}
    nothing = np.random.default_rng(0).normal(size=(len(images.labels), 3))
    assert np.mean(subset_accuracies(nothing, images.labels, tasks)["ridge-subsets"]) < 0.75
