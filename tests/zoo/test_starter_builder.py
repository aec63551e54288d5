"""How the starter zoo is built from published tables: what is taken, what is left, and that a build resumes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def benchmarks_on_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield
    for name in [name for name in sys.modules if name.startswith("starter_zoo_facts")]:
        del sys.modules[name]


def test_computed_facts_are_kept_and_an_error_is_a_fact(tmp_path: Path):
    from starter_zoo_facts.facts_cache import architecture_table

    asked = []

    def compute(name: str, classes: int, size: int) -> dict:
        asked.append(name)
        if name == "broken":
            raise RuntimeError("cannot be built")
        return {"params": classes * size}

    keys = [("a", 10, 3), ("broken", 1, 1), ("a", 10, 3)]
    first = architecture_table(keys, compute, tmp_path / "cache.jsonl")
    again = architecture_table([*keys, ("b", 2, 2)], compute, tmp_path / "cache.jsonl")
    assert asked == ["a", "broken", "b"]
    assert first[("a", 10, 3)] == again[("a", 10, 3)] == {"params": 30}
    assert again[("broken", 1, 1)] == {"error": "RuntimeError: cannot be built"}


def test_one_measurement_a_device_and_the_larger_cost(tmp_path: Path):
    from starter_zoo_facts.hardware_table import cost_by_architecture, measured_by_architecture

    header = "phase,device,precision,layout,compiler,torch,model,img_size,batch_size,throughput_img_s,gmacs,macts"
    rows = [
        "infer,rtx4090,amp,nchw,eager,2.9.1,net,224,512,3000.5,4.0,11.0",
        "infer,rtx4090,amp,nchw,eager,2.4.0,net,224,256,2000.0,4.1,11.1",
        "infer,rtx4090,amp,nhwc,eager,2.9.1,net,224,256,9000.0,4.0,11.0",
        "train,rtx4090,amp,nchw,eager,2.9.1,net,224,256,100.0,,",
        "infer,i9_10940x,fp32,nchw,dynamo,2.4.0,net,224,1,20.0,0,0",
    ]
    path = tmp_path / "hardware.csv"
    path.write_text("\n".join([header, *rows]))
    measured = {row["device"]: row for row in measured_by_architecture(path)[("net", 224)]}
    assert measured.keys() == {"rtx4090", "i9_10940x"}
    assert (measured["rtx4090"]["throughput"], measured["rtx4090"]["batch_size"]) == (3000.5, 512)
    assert cost_by_architecture(path) == {("net", 224): (4.1, 11.1)}


def test_native_models_have_facts_but_no_results_and_structure_only_where_the_count_agrees(tmp_path: Path):
    from starter_zoo_facts import transfergraph

    names = "modality,model,architecture,model_type,params,pretrain_dataset,pretrain_accuracy,input_size,n_labels"
    header = f"{names},labels"
    rows = [
        "image,acme/exact,ViTForImageClassification,vit,85800963,hfpics,0.987,224,3,\"['oak', 'ash', 'elm']\"",
        "image,acme/other-size,ViTForImageClassification,vit,85800000,beans,0.5,224,3,",
        "image,acme/unsized,ViTForImageClassification,vit,,imagenet,0.5,224,1000,imagenet",
        "text,acme/text,BertModel,bert,1,x,0.1,,,",
    ]
    path = tmp_path / "models.csv"
    path.write_text("\n".join([header, *rows]))
    exact, other, unsized = transfergraph.models(path)
    assert exact.record.model_id == "acme/exact"
    assert sum(t.shape == (768, 768) for t in exact.tensors) == 48
    assert exact.record.pretrain_data == ()
    assert "oak" in exact.description
    assert "0.98" not in repr(exact.record) + exact.description
    assert (other.tensors, other.record.params, other.record.pretrain_data) == (None, 85_800_000, ("beans",))
    assert (other.data_words, unsized.data_words) == (("plants",), ("imagenet-1k",))
    assert (unsized.record.params, unsized.record.license) == (None, None)
