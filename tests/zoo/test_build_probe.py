"""The probe view in a build: who is run, who is not and why, and that nothing is left behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hf_crosssight.features.load import UnusableModelError
from hf_crosssight.hub import HubClient
from hf_crosssight.tokens.views import VIEWS
from hf_crosssight.zoo.build import build_zoo
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.model_source import HubSource
from hf_crosssight.zoo.model_views import ViewPlan
from tests.hub import LoopbackHub
from tests.zoo.small_zoo import content, write_model


def test_models_are_run_where_they_can_be_and_the_others_have_a_reason(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    models, index = tmp_path / "hub" / "models" / "acme", tmp_path / "index"
    write_model(models / "runs")
    write_model(models / "strange", 1)
    write_model(models / "large", 2, width=200)
    (write_model(models / "nameless", 3) / "config.json").write_text('{"num_classes": 10}')
    reads = write_model(models / "reads", 4)
    (reads / "README.md").write_text("---\npipeline_tag: text-generation\n---\n")
    seen = []

    def load(folder: Path, *, revision: str) -> str:
        seen.append((sorted(path.name for path in folder.iterdir()), len(revision)))
        if json.loads((folder / "config.json").read_text()) and seen.count(seen[0]) > 1:
            raise UnusableModelError("transformers does not know it")
        return "model"

    monkeypatch.setattr("hf_crosssight.features.load.load_image_model", load)
    monkeypatch.setattr("hf_crosssight.tokens.probe.probe_view", lambda _: np.ones(VIEWS["probe"].shape, np.float32))
    ids = tuple(f"acme/{name}" for name in ("runs", "strange", "large", "nameless", "reads"))
    source, plan = HubSource(HubClient(), ids), ViewPlan((), largest_probed=1_000_000)
    report = build_zoo(source, index, views=("structure", "probe"), plan=plan, workers=1)
    reasons = {name: own["probe"] for name, own in report.missing_views.items()}
    assert reasons.keys() == {*ids} - {"acme/runs"}
    assert reasons["acme/strange"] == "transformers does not know it"
    assert "models up to 1 MB are run" in reasons["acme/large"]
    assert "no architecture" in reasons["acme/nameless"]
    assert "text-generation" in reasons["acme/reads"]
    assert seen == [(["config.json", "model.safetensors"], 40)] * 2, "the others were not even fetched"
    assert ZooIndex.open(index).view_mask["probe"].tolist() == [True, False, False, False, False]
    assert not [name for name in content(index) if "whole-" in name or name.startswith(".")]
    assert report.num_models == 5
