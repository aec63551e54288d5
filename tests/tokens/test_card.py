"""The card view: recipes from ids, canonical words, and that no reported result gets through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hf_crosssight.tokens.card import CARD_DIM, FLAG_DIM, card_text, card_view, pretrain_data_of, read_card
from hf_crosssight.tokens.card_reading import dataset_name, strip_results
from hf_crosssight.tokens.card_vocabulary import (
    DATA_WORDS,
    RECIPE_WORDS,
    data_in,
    family_of,
    recipes_in,
    stages_in,
    stated_in,
    view_words,
)
from hf_crosssight.zoo.record import ModelRecord

LEAKY = """---
license: Apache-2.0
library_name: transformers
pipeline_tag: image-classification
tags: [image-classification, vision]
datasets:
- cifar10
base_model: google/vit-base-patch16-224-in21k
model-index:
- name: x
  results:
  - metrics: [{type: accuracy, value: 0.9871}]
---
# My model

A vision transformer fine-tuned on CIFAR-10 for 3 epochs.
It achieves 98.71% on the test set.
Top-1: 0.9871, top-5 99.9.
The final loss was 0.042. | F1 is 97.3

| epoch | accuracy |
|---|---|
| 1 | 0.9644 |

```python
assert accuracy == 0.9871
```
Photographs of [ten kinds](https://example.org/acc/98.71) of things.
"""


def timm_record(tag: str, architecture: str = "vit_base_patch16_224") -> ModelRecord:
    return ModelRecord(
        model_id=f"timm/{architecture}.{tag}",
        task="image-classification",
        library="timm",
        architecture=architecture,
        family=family_of(architecture),
        pretrain_data=pretrain_data_of(f"{architecture} {tag}"),
    )


@pytest.mark.parametrize(
    ("tag", "data", "recipes"),
    [
        ("augreg_in21k_ft_in1k", ("imagenet-22k", "imagenet-1k"), {"strong-augmentation", "fine-tuned"}),
        ("fb_swsl_ig1b_ft_in1k", ("ig-1b", "imagenet-1k"), {"semi-supervised", "weakly-supervised", "fine-tuned"}),
        (
            "clip_laion2b_ft_in12k_in1k",
            ("laion", "imagenet-12k", "imagenet-1k"),
            {"language-image-contrastive", "fine-tuned"},
        ),
        ("openai", ("wit",), {"language-image-contrastive"}),
        ("lvd142m", ("lvd-142m",), {"self-supervised"}),
        ("mae", ("imagenet-1k",), {"self-supervised", "masked-image-modelling"}),
        ("in1k_ft_in22k_in1k", ("imagenet-22k", "imagenet-1k"), {"fine-tuned"}),
        ("ns_jft_in1k", ("jft-300m", "imagenet-1k"), {"noisy-student", "weakly-supervised"}),
        ("ap_in1k", ("imagenet-1k",), {"adversarial"}),
    ],
)
def test_a_timm_tag_tells_data_in_order_and_recipe(tag, data, recipes):
    assert pretrain_data_of(tag) == data
    assert recipes <= recipes_in(tag)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("google/vit-base-patch16-224-in21k", ("imagenet-22k",)),
        ("facebook/convnext-base-224-22k-1k", ("imagenet-22k", "imagenet-1k")),
        ("microsoft/beit-base-patch16-224-pt22k-ft22k", ("imagenet-22k",)),
        ("ILSVRC/imagenet-1k", ("imagenet-1k",)),
        ("fashion_mnist", ("fashion-mnist",)),
        ("ylecun/mnist", ("mnist",)),
        ("uoft-cs/cifar100", ("cifar100",)),
        ("imagenet-a", ()),
        ("zoo-bench/tiny-imagenet-100", ()),
    ],
)
def test_data_is_found_in_ids_whatever_the_spelling(text, words):
    assert data_in(text) == words


@pytest.mark.parametrize(
    ("tag", "architecture", "stages"),
    [
        ("mim_m38m_ft_in22k_in1k", "eva02_large_patch14_448", ("merged-38m", "imagenet-22k", "imagenet-1k")),
        ("mae_in1k_ft_in1k", "hiera_tiny_224", ("imagenet-1k", "imagenet-1k")),
        ("in22k_ft_in22k", "beit_base_patch16_224", ("imagenet-22k", "imagenet-22k")),
        ("sat493m", "vit_large_patch16_dinov3", ("sat-493m",)),
        ("apple_mclip2_dfndr2b", "fastvit_mci0", ("dfndr-2b",)),
        ("pali_pt", "vit_so400m_patch14_siglip_224", ("webli",)),
        ("ft_in1k", "vit_small_patch14_dinov2", ("lvd-142m", "imagenet-1k")),
        ("", "resnet18", ()),
    ],
)
def test_a_timm_tag_states_its_data_stage_by_stage(tag, architecture, stages):
    assert stages_in(tag, architecture) == stages


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("trained on satellite photographs", ("satellite images",)),
        ("fine-tuned on EuroSAT", ("eurosat",)),
        ("ImageNet-22k, then Oxford-Pets", ("imagenet-22k", "oxford-pets")),
        ("photographs of pets", ("pet images",)),
        ("the PlantVillage leaf data", ("plant-village",)),
        ("plant_village", ("plant-village",)),
        ("DFN-5B", ("dfn-5b",)),
    ],
)
def test_what_is_stated_keeps_the_name_and_has_the_word_of_the_view(text, stated):
    assert stated_in(text) == stated
    assert tuple(word for name in stated for word in view_words(name)) == data_in(text)


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("uoft-cs/cifar10", "cifar10"),
        ("ILSVRC/imagenet-1k", "imagenet-1k"),
        ("acme/Rare_Flowers", "rare-flowers"),
        ("poolrf2001/facemask", "facemask"),
        ("timm/eurosat-rgb", "eurosat"),
        ("acme/Snacks", "snacks"),
    ],
)
def test_a_data_set_is_stated_by_its_name(name, stated):
    assert dataset_name(name) == stated


def test_every_word_of_the_view_is_its_own():
    assert [view_words(word) for word in DATA_WORDS] == [(word,) for word in DATA_WORDS]


def test_stated_names_and_words_of_the_view_make_the_same_view():
    stated = replace(timm_record("mim_m38m_ft_in1k"), pretrain_data=("merged-38m", "imagenet-1k"))
    words = replace(stated, pretrain_data=("imagenet-22k", "imagenet-1k"))
    first, second, given = card_view([stated, words, stated], None, [None, None, words.pretrain_data])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, given)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("resnet50", "resnet"),
        ("ResNetForImageClassification", "resnet"),
        ("seresnext50_32x4d", "seresnet"),
        ("tf_efficientnetv2_s", "efficientnetv2"),
        ("swinv2_tiny_window8_256", "swinv2"),
        ("convnextv2_base", "convnextv2"),
        ("vit_base_patch16_224", "vit"),
        ("ResNet-8 (MLPerf Tiny)", "resnet"),
        ("something else", None),
    ],
)
def test_family_by_name(name, family):
    assert family_of(name) == family


def test_view_layout_and_flags():
    record = timm_record("augreg_in21k_ft_in1k")
    view = card_view([record, replace(record, pretrain_data=())])
    assert view.shape == (2, 1, CARD_DIM)
    assert view[:, 0, 0].tolist() == [1.0, 1.0]
    flags = view[0, 0, 1 : 1 + FLAG_DIM]
    assert set(np.unique(flags)) <= {0.0, 1.0}
    any_stage = flags[2 : 2 + len(DATA_WORDS)]
    last = flags[3 + len(DATA_WORDS) : 3 + 2 * len(DATA_WORDS)]
    assert any_stage[DATA_WORDS.index("imagenet-22k")] == any_stage[DATA_WORDS.index("imagenet-1k")] == 1.0
    assert last.sum() == last[DATA_WORDS.index("imagenet-1k")] == 1.0
    recipes = flags[3 + 2 * len(DATA_WORDS) :][: len(RECIPE_WORDS)]
    assert recipes[RECIPE_WORDS.index("strong-augmentation")] == 1.0
    assert view[1, 0, 1] == 0.0, "unknown data has its flag down"
    assert np.linalg.norm(view[0, 0, 1 + FLAG_DIM :]) == pytest.approx(1.0, abs=1e-3)


def test_no_reported_result_survives_in_text_or_view():
    facts = read_card(LEAKY, {"id2label": {"0": "cat", "1": "dog"}}, "acme/vit-cifar10-acc-0.9871")
    record = ModelRecord(
        model_id="acme/vit-cifar10-acc-0.9871",
        tags=facts.tags,
        library=facts.library,
        pretrain_data=facts.pretrain_data,
        base_model=facts.base_model,
    )
    text = card_text(record, facts.description)
    for leaked in ("98", "97", "96", "99", "0.0", "042", "achiev", "accura", "Top", "loss", "F1", "epochs 3"):
        assert leaked not in text, text
        assert leaked not in facts.description
    assert "vision transformer" in facts.description
    assert "ten kinds" in facts.description
    other = LEAKY.replace("98.71", "12.34").replace("0.9871", "0.1234").replace("97.3", "11.1").replace("0.042", "3.3")
    changed = read_card(other, {"id2label": {"0": "cat", "1": "dog"}}, "acme/vit-cifar10-acc-0.1234")
    twin = replace(record, model_id="acme/vit-cifar10-acc-0.1234")
    np.testing.assert_array_equal(card_view([record], [facts.description]), card_view([twin], [changed.description]))


def test_structured_facts_are_read():
    facts = read_card(LEAKY, {"id2label": {"0": "cat", "1": "dog"}}, "acme/m")
    assert (facts.license, facts.library, facts.task) == ("apache-2.0", "transformers", "image-classification")
    assert facts.base_model == "google/vit-base-patch16-224-in21k"
    assert facts.pretrain_data == ("cifar10",)
    assert facts.description.endswith("Labels: cat, dog")


@pytest.mark.parametrize(
    "sentence",
    [
        "Reported top-1: 91.73%.",
        "It obtained an F1 score of .93",
        "AUC 0.99 on validation",
        "ninety-nine percent of images are classified correctly",
        "The best checkpoint, epoch 7.",
        "State-of-the-art on CIFAR.",
    ],
)
def test_sentences_about_results_are_dropped(sentence):
    assert strip_results(sentence) == ""
    assert strip_results(f"A ResNet.\n{sentence}\nTrained on ImageNet-1k") == "A ResNet. Trained on ImageNet-1k"


def test_numbers_go_but_names_stay():
    assert strip_results("resnet50 with 269,722 parameters and 10 classes") == "resnet50 with parameters and classes"
    assert strip_results("a 2-conv net (98) of 98e-2 and +7") == "a 2-conv net of and"


@pytest.mark.parametrize("leak", ["acc-0.98", "94.5", "98acc", "acc_98", "98pct", "Acc98"])
def test_an_id_does_not_leak_its_result(leak):
    text = card_text(ModelRecord(model_id=f"acme/tulips-{leak}"))
    assert "tulips" in text
    assert not any(character.isdigit() for character in text), text


@pytest.mark.parametrize(
    "readme",
    ["", "---\nlicense: [\n---\nhello", "---\n- a\n- b\n---\n", "no front matter", "---\nlicense: 3\ntags: x\n---"],
)
def test_broken_front_matter_costs_only_its_facts(readme):
    facts = read_card(readme)
    assert facts.license is None
    assert facts.base_model is None


def test_a_readme_changes_nothing_where_the_timm_tag_tells_all():
    record = timm_record("augreg_in21k_ft_in1k")
    prose = "A Vision Transformer image classification model trained by its authors in JAX"
    np.testing.assert_array_equal(card_view([record], [""]), card_view([record], [prose]))


def test_descriptions_matter_where_the_id_says_nothing():
    record = ModelRecord(model_id="acme/model", library="transformers")
    plain, described = card_view([record, record], ["", "Labels: tulip, rose, daisy"])
    assert np.abs(plain - described).max() > 0.01


def test_no_models_no_views():
    assert card_view([]).shape == (0, 1, CARD_DIM)
