"""Every model of the tables gets views: the Hub's own where the zoo has it, its twin's tensors where described."""

import numpy as np
import pytest

from hf_crosssight.ground_truth.published_zoo import published_zoo
from hf_crosssight.tokens.structure import FACT_COLUMNS, SET_SUMMARY
from hf_crosssight.zoo.open import open_zoo

IDS = [
    "timm/resnet50.tv_in1k",
    "model_spider/resnet50.aid",
    "torchvision/googlenet",
    "parc/resnet101.mask-rcnn_fpn_138205316",
    "ssl/resnet50.byol",
    "nobody/knows",
]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return published_zoo(IDS, tmp_path_factory.mktemp("tables"), open_zoo("starter"))


def view(models, name, model_id):
    return np.asarray(models.zoo.views[name][models.zoo.model_ids.index(model_id)], np.float32)


def test_unknown_ids_are_named_and_left_out(models):
    assert models.unknown == ("nobody/knows",)
    assert set(models.zoo.model_ids) == set(IDS) - {"nobody/knows"}
    assert all(mask.all() for mask in models.zoo.view_mask.values())


def test_a_further_trained_network_has_its_twins_tensors_and_its_own_card(models):
    base, tuned = "timm/resnet50.tv_in1k", "model_spider/resnet50.aid"
    assert np.array_equal(view(models, "structure", base)[1:], view(models, "structure", tuned)[1:])
    assert np.allclose(view(models, "structure", base)[0], view(models, "structure", tuned)[0], atol=2e-3)
    assert not np.allclose(view(models, "card", base), view(models, "card", tuned), atol=0.05)
    assert models.lineage[base] == models.lineage[tuned]


def test_a_network_that_no_hub_model_equals_has_its_facts_alone(models):
    structure = view(models, "structure", "torchvision/googlenet")
    assert structure[0, FACT_COLUMNS["params"]] == 1
    assert not structure[0, SET_SUMMARY].any()
    assert not structure[1:].any()


def test_detectors_are_kin_of_their_backbone_and_self_supervised_ones_are_not(models):
    detector = models.zoo.record(models.zoo.model_ids.index("parc/resnet101.mask-rcnn_fpn_138205316"))
    assert detector.pretrain_data == ("imagenet-1k", "coco")
    assert models.lineage["ssl/resnet50.byol"] != models.lineage["timm/resnet50.tv_in1k"]
