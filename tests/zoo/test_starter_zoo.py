"""The bundled zoo: real ids, enough of them, facts with a source, small, and no measured accuracy."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hf_crosssight.tokens.structure import FACT_COLUMNS, SET_SUMMARY
from hf_crosssight.zoo import Constraints, ZooIndex, open_zoo, select
from hf_crosssight.zoo.open import STARTER


@pytest.fixture(scope="module")
def zoo() -> ZooIndex:
    return open_zoo("starter")


def test_size_on_disk_and_in_models(zoo: ZooIndex):
    assert sum(path.stat().st_size for path in STARTER.iterdir()) < 4_000_000
    assert len(zoo) == len(set(zoo.model_ids))
    classifiers = select(zoo, Constraints(filter=("image-classification",)))
    assert len(classifiers.indices) >= 1200
    assert all(model_id.count("/") == 1 for model_id in zoo.model_ids)


def test_well_known_models_have_their_known_facts(zoo: ZooIndex):
    row = zoo.model_ids.index("timm/resnet50.a1_in1k")
    record = zoo.record(row)
    assert (record.library, record.license, record.task) == ("timm", "apache-2.0", "image-classification")
    assert record.params == 25_557_032
    assert record.gmacs == pytest.approx(4.1, abs=0.05)
    assert record.macts == pytest.approx(11.1, abs=0.1)
    assert (record.pretrain_data, record.family, record.input_size) == (("imagenet-1k",), "resnet", 224)
    hardware = zoo.hardware(row)
    assert hardware is not None
    assert hardware["rtx4090"]["throughput"] > hardware["i9_10940x"]["throughput"] > 0
    vit = zoo.record(zoo.model_ids.index("timm/vit_base_patch16_224.augreg_in21k_ft_in1k"))
    assert (vit.params, vit.pretrain_data) == (86_567_656, ("imagenet-22k", "imagenet-1k"))
    native = zoo.record(zoo.model_ids.index("microsoft/resnet-50"))
    assert (native.library, native.license, native.params) == ("transformers", None, 25_557_032)
    assert native.gmacs == pytest.approx(record.gmacs, rel=0.03)


@pytest.mark.parametrize(
    ("model_id", "data"),
    [
        ("timm/eva02_large_patch14_448.mim_m38m_ft_in1k", ("merged-38m", "imagenet-1k")),
        ("timm/eva_giant_patch14_560.m30m_ft_in22k_in1k", ("merged-30m", "imagenet-22k", "imagenet-1k")),
        ("timm/beitv2_base_patch16_224.in1k_ft_in22k_in1k", ("imagenet-1k", "imagenet-22k", "imagenet-1k")),
        ("timm/vit_huge_patch14_clip_378.dfn5b", ("dfn-5b",)),
        ("timm/vit_large_patch16_dinov3.sat493m", ("sat-493m",)),
        ("nielsr/convnext-tiny-finetuned-eurosat", ("eurosat",)),
        ("nateraw/vit-base-cats-vs-dogs", ("cats-vs-dogs",)),
        ("jasmeen/dogs", ()),
    ],
)
def test_training_data_is_stated_by_its_own_name_stage_by_stage(zoo: ZooIndex, model_id: str, data: tuple[str, ...]):
    assert zoo.record(zoo.model_ids.index(model_id)).pretrain_data == data


def test_no_word_of_the_view_alone_stands_for_a_data_set(zoo: ZooIndex):
    stated = {name for names in zoo.table.column("pretrain_data").to_pylist() for name in names}
    assert not stated & {"satellite", "faces", "pets", "plants", "medical", "documents", "flowers", "cars", "textures"}


def test_every_record_has_a_source_that_is_listed(zoo: ZooIndex):
    listed = {source["name"] for source in zoo.sources}
    assert all(source["license"] and source["url"].startswith("https://") for source in zoo.sources)
    used = {name for names in zoo.table.column("sources").to_pylist() for name in names}
    assert used <= listed
    assert all(zoo.table.column("sources").to_pylist())


def test_views_are_there_and_agree_with_the_records(zoo: ZooIndex):
    assert zoo.view_mask["structure"].all()
    assert zoo.view_mask["card"].all()
    structure = zoo.views["structure"].astype(np.float32)
    assert np.isfinite(structure).all()
    with_set = structure[:, 0, SET_SUMMARY.start] > 0
    assert with_set.mean() > 0.95
    params = zoo.table.column("params").to_numpy(zero_copy_only=False).astype(float)
    column = FACT_COLUMNS["params"]
    known = np.isfinite(params) & (structure[:, 0, column] > 0)
    predicted = 10 ** (10 * structure[known, 0, column + 1])
    assert np.median(np.abs(predicted / params[known] - 1)) < 0.01


def test_no_measured_accuracy_is_bundled(zoo: ZooIndex):
    columns = {*zoo.table.column_names, *(field.name for field in zoo.table.schema.field("hardware").type.value_type)}
    assert not [name for name in columns if any(word in name for word in ("acc", "top", "score", "error", "loss"))]
    text = (STARTER / "index.json").read_text()
    assert set(json.loads(text)) == {"format", "num_models", "specs", "sources", "shards"}
