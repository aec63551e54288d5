"""The same model, entered from published facts, headers of the Hub or a folder, is the same to the ranker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hf_crosssight.hub.client import HubClient
from hf_crosssight.tokens.card import FLAG_DIM
from hf_crosssight.tokens.structure import without_tensor_set
from hf_crosssight.zoo import ZooIndex, open_zoo
from hf_crosssight.zoo.folder import read_folder
from tests.hub import LoopbackHub
from tests.zoo.networks import transformers_resnet, write_repo

NATIVE = "microsoft/resnet-50"
TIMM = "timm/resnet18.a1_in1k"
RANKER = Path(__file__).parents[2] / "hf_crosssight" / "assets" / "ranker"

TIMM_README = """---
tags: [image-classification, timm]
library_name: timm
license: apache-2.0
datasets: [imagenet-1k]
---
# Model card for resnet18.a1_in1k
A ResNet-B image classification model. ReLU activations, single layer 7x7 convolution with pooling.
Trained on ImageNet-1k in `timm`. Top-1 is 71.49.
"""


def timm_resnet18(folder: Path) -> Path:
    """timm's own repository of a ResNet-18, weights aside: its config, card and tensor names."""
    from tests.zoo.networks import TimmResNet

    torch.manual_seed(0)
    network = TimmResNet(widths=(64, 128, 256, 512), classes=1000)
    cfg = {"tag": "a1_in1k", "input_size": [3, 224, 224], "num_classes": 1000, "license": "apache-2.0"}
    config = {"architecture": "resnet18", "num_classes": 1000, "num_features": 512, "pretrained_cfg": cfg}
    return write_repo(folder, network, config, TIMM_README)


@pytest.fixture
def entries(tmp_path: Path, hub: LoopbackHub) -> dict[str, ZooIndex]:
    """One model, three ways in; and as facts without its tensors."""
    timm_resnet18(tmp_path / "hub" / "models" / TIMM)
    timm_resnet18(tmp_path / "zoo" / TIMM)
    starter = open_zoo("starter")
    empty = starter.take([starter.model_ids.index(NATIVE)])
    facts = starter.take([starter.model_ids.index(TIMM)])
    reduced = {**facts.views, "structure": without_tensor_set(facts.views["structure"])}
    return {
        "facts": facts,
        "headers": open_zoo_of(empty, TIMM),
        "folder": read_folder(tmp_path / "zoo"),
        "facts without tensors": ZooIndex(facts.id, facts.table, reduced, facts.view_mask),
    }


def open_zoo_of(zoo: ZooIndex, model_id: str) -> ZooIndex:
    """A model that this zoo does not have, from the Hub."""
    from hf_crosssight.zoo.hub_models import read_hub_models

    assert model_id not in zoo.model_ids
    return read_hub_models([model_id], HubClient())


def test_the_three_entries_have_the_same_facts(entries: dict[str, ZooIndex]):
    facts = entries["facts"].record(0)
    for name in ("headers", "folder"):
        read = entries[name].record(0)
        assert read.gmacs == pytest.approx(facts.gmacs, rel=0.03)
        assert read.macts == pytest.approx(facts.macts, rel=0.03)
        unequal = {"revision": None, "sources": (), "tags": (), "gmacs": None, "macts": None}
        assert replace(read, **unequal) == replace(facts, **unequal), name


def test_the_three_entries_have_nearly_equal_views(entries: dict[str, ZooIndex]):
    facts = entries["facts"]
    for name in ("headers", "folder"):
        for view in ("structure", "card"):
            first, second = (zoo.views[view][0].astype(np.float32) for zoo in (facts, entries[name]))
            assert np.abs(first - second).max() < 0.02, (name, view)


def test_renamed_tensors_keep_the_view(tmp_path: Path, entries: dict[str, ZooIndex]):
    """The same network saved by transformers under the same facts: only depths may move, within a block."""
    folder = tmp_path / "renamed" / TIMM
    timm_resnet18(folder)
    network = transformers_resnet(widths=(64, 128, 256, 512), classes=1000)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "model.safetensors").rename(folder / "model.safetensors")
    renamed = read_folder(tmp_path / "renamed").views["structure"][0].astype(np.float32)
    original = entries["facts"].views["structure"][0].astype(np.float32)
    assert np.abs(renamed[0] - original[0]).max() < 0.01
    assert np.abs(renamed - original).max() < 0.1


def test_a_copy_under_another_name_keeps_its_card_flags(tmp_path: Path, entries: dict[str, ZooIndex]):
    timm_resnet18(tmp_path / "copies" / "my-copy")
    copy = read_folder(tmp_path / "copies").views["card"][0, 0]
    facts = entries["facts"].views["card"][0, 0]
    np.testing.assert_array_equal(copy[: 1 + FLAG_DIM], facts[: 1 + FLAG_DIM])


@pytest.mark.skipif(not (RANKER / "config.json").exists(), reason="no bundled ranker yet")
def test_the_four_entries_keep_their_rank(entries: dict[str, ZooIndex]):
    """Within 5 % of the zoo, on datasets that the ranker knows and on one of noise."""
    from hf_crosssight import bundled_ranker

    ranker = bundled_ranker().eval()
    starter = open_zoo("starter")
    own = starter.model_ids.index(TIMM)
    rest = starter.take([row for row in range(len(starter)) if row != own])
    for tokens in some_dataset_tokens(ranker):
        places = {name: rank_of_last(ranker, tokens, rest.joined(entry)) for name, entry in entries.items()}
        spread = max(places.values()) - min(places.values())
        assert spread <= 0.05 * len(starter), places


def some_dataset_tokens(ranker) -> list[np.ndarray]:
    """Tokens `[S, Dd]` of some datasets that the ranker was trained on."""
    tokens = ranker.reference_tokens.float().cpu().numpy()
    masks = ranker.reference_mask.cpu().numpy().astype(bool)
    return [tokens[row][masks[row]] for row in range(0, len(tokens), max(1, len(tokens) // 3))]


def rank_of_last(ranker, tokens: np.ndarray, zoo: ZooIndex) -> int:
    """Place of the zoo's last model, 0 for the best."""
    with torch.inference_mode():
        output = ranker.score_zoo(torch.from_numpy(tokens), zoo.views, zoo.view_mask)
    scores = output.scores[0].float().cpu().numpy()
    return int((scores > scores[-1]).sum())


def test_the_zoo_states_the_same_config_as_the_repository(tmp_path: Path):
    """The fixture is only worth something if it is what timm writes."""
    config = json.loads((timm_resnet18(tmp_path / "x" / TIMM) / "config.json").read_text())
    starter = open_zoo("starter")
    record = starter.record(starter.model_ids.index(TIMM))
    assert record.architecture == config["architecture"]
    assert record.params == 11_689_512
