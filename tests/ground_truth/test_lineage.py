"""Kin models share a lineage, whatever table names them."""

from hf_crosssight.ground_truth.hub_models import hub_model
from hf_crosssight.ground_truth.lineage import lineage_folds, lineages, root_of
from hf_crosssight.ground_truth.model_names import model_spider_id, parc_id, torchvision_id
from hf_crosssight.ground_truth.published_models import published_model
from hf_crosssight.zoo.record import ModelRecord


def test_one_network_has_one_id_in_all_tables():
    assert torchvision_id("resnet50") == model_spider_id("resnet50") == parc_id("resnet50", "imagenet")
    assert model_spider_id("FTD_densenet201_AID") == "model_spider/densenet201.aid"
    assert model_spider_id("FTD_inception_v3_CUB2011") == "model_spider/inception_v3.cub200"


def test_further_training_keeps_the_lineage_and_another_first_training_does_not():
    base = ModelRecord("timm/resnet50.tv_in1k", architecture="resnet50", pretrain_data=("imagenet-1k",))
    tuned = published_model("model_spider/resnet50.aid")
    byol = published_model("ssl/resnet50.byol")
    assert root_of(tuned.record, tuned.layers_of) == root_of(base)
    assert root_of(byol.record, byol.layers_of) != root_of(base)
    assert tuned.record.pretrain_data == ("imagenet-1k", "aid")
    assert "aerial" in tuned.description.lower()


def test_image_side_makes_no_lineage():
    one = ModelRecord("timm/vit_base_patch16_384.augreg_in21k_ft_in1k", pretrain_data=("imagenet-22k", "imagenet-1k"))
    two = ModelRecord("timm/vit_base_patch16_224.augreg_in21k", pretrain_data=("imagenet-22k",))
    assert root_of(one) == root_of(two)


def test_base_models_join_lineages_and_folds_keep_them_whole():
    group = lineages({"a": "x", "b": "x", "c": "y", "d": "z"}, {"c": "a"})
    assert group["a"] == group["b"] == group["c"] != group["d"]
    fold_of = lineage_folds(group, "abcd", 2, seed=0)
    assert len({fold_of[model] for model in "abc"}) == 1
    assert fold_of["d"] != fold_of["a"]


def test_a_fine_tuned_hub_checkpoint_has_the_layers_of_its_size():
    row = {"model_type": "swin", "params": "27527044.0", "pretrain_dataset": "eurosat", "input_size": "224.0",
           "architecture": "SwinForImageClassification", "labels": "eurosat"}  # fmt: skip
    model = hub_model("org/swin-tiny-patch4-window7-224-finetuned-eurosat", row)
    assert model.layers_of == "timm/swin_tiny_patch4_window7_224.ms_in1k"
    assert model.record.pretrain_data[-1] == "eurosat"
    named = hub_model("org/frogs", {**row, "pretrain_dataset": "hfpics", "labels": "['frog', 'toad']"})
    assert "frog, toad" in named.description
