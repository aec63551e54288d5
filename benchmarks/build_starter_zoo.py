"""Builds the bundled starter zoo (`hf_crosssight/assets/starter_zoo`) from published facts.

    python benchmarks/build_starter_zoo.py --tables FOLDER [--cache FOLDER] [--out FOLDER]

The tables' folder holds `timm_hardware.csv` and `transfergraph_models.csv`. timm must be installed (`pip install
--no-deps timm`); torchvision need not be. Ids, licences and tensor shapes come from timm's registry; no weight is
downloaded and no measured accuracy is read. The first run builds some 1,400 networks on the meta device, about ten
minutes on one core; the cache folder keeps what was computed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from starter_zoo_facts import hardware_table, timm_registry, transfergraph
from starter_zoo_facts.facts_cache import architecture_table
from starter_zoo_facts.named_shape import NamedShape

from hf_crosssight.tokens.card import pretrain_data_of
from hf_crosssight.tokens.card_vocabulary import family_of, stages_in
from hf_crosssight.tokens.structure import num_outputs
from hf_crosssight.zoo import known_costs
from hf_crosssight.zoo.model_facts import ModelFacts, index_of
from hf_crosssight.zoo.record import ModelRecord

_OUT = Path(__file__).parents[1] / "hf_crosssight" / "assets" / "starter_zoo"
_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32", "bool": "BOOL"}
_UNSTATED_LICENSES = {"unknown", "other", ""}

SOURCES = (
    {
        "name": "timm registry",
        "license": "Apache-2.0",
        "url": "https://github.com/huggingface/pytorch-image-models",
        "what": "ids, licences, input sizes, tags, tensor names and shapes, GMACs and activations of timm models",
    },
    {
        "name": "timm benchmark tables",
        "license": "Apache-2.0",
        "url": "https://github.com/huggingface/pytorch-image-models/tree/main/results",
        "what": "measured throughput by device",
    },
    {
        "name": "TransferGraph model table",
        "license": "none stated",
        "url": "https://github.com/zLizy/transferability_graph",
        "what": "ids, architectures, parameter counts, source data and label names of models; no measured value",
    },
    {
        "name": "transformers",
        "license": "Apache-2.0",
        "url": "https://github.com/huggingface/transformers",
        "what": "tensor names and shapes of architectures whose parameter count agrees exactly",
    },
)


def shapes(facts: dict[str, Any]) -> tuple[NamedShape, ...]:
    """The tensors of cached architecture facts."""
    return tuple(NamedShape(n, _DTYPES.get(dtype, dtype), tuple(s)) for n, s, dtype in facts["tensors"])


def timm_models(tables: Path, cache: Path) -> list[ModelFacts]:
    """Every timm model that has a repository, once."""
    timm = timm_registry.import_timm()
    entries = {entry["model_id"]: entry for entry in reversed(list(timm_registry.pretrained_models(timm)))}
    keys = {id: (e["architecture"], e["num_classes"], e["input_size"]) for id, e in entries.items()}
    built = architecture_table(keys.values(), lambda *key: timm_registry.architecture_facts(timm, *key), cache)
    measured = hardware_table.measured_by_architecture(tables / "timm_hardware.csv")
    costs = hardware_table.cost_by_architecture(tables / "timm_hardware.csv")
    models = []
    for model_id in sorted(entries):
        entry, facts = entries[model_id], built[keys[model_id]]
        place = (entry["architecture"], entry["input_size"])
        cost = costs.get(place, (facts.get("gmacs"), facts.get("macts")))
        models.append(_timm_model(entry, facts, cost, measured.get(place)))
    return models


def _timm_model(entry: dict[str, Any], facts: dict[str, Any], cost: tuple[Any, Any], measured: Any) -> ModelFacts:
    stated = (entry["license"] or "").lower()
    record = ModelRecord(
        model_id=entry["model_id"],
        task="image-classification" if _is_classifier(entry["num_classes"]) else "image-feature-extraction",
        library="timm",
        license=None if stated in _UNSTATED_LICENSES else stated,
        tags=("timm",),
        architecture=entry["architecture"],
        family=family_of(entry["architecture"]),
        pretrain_data=stages_in(entry["tag"] or "", entry["architecture"]),
        params=facts.get("params"),
        gmacs=cost[0],
        macts=cost[1],
        input_size=entry["input_size"],
        sources=("timm registry", "timm benchmark tables") if measured else ("timm registry",),
    )
    tensors = shapes(facts) if "tensors" in facts else None
    words = pretrain_data_of(f"{entry['architecture']} {entry['tag']}")
    return ModelFacts(record, "", tensors, {"num_classes": entry["num_classes"]}, measured, words)


def _cost_rows(model: ModelFacts) -> list[tuple[str, int, float, float]]:
    record = model.record
    if model.tensors is None or not (record.gmacs and record.macts and record.input_size):
        return []
    key = known_costs.backbone_key(model.tensors, num_outputs(model.config))
    return [(key, record.input_size, record.gmacs, record.macts)]


def _with_cost(model: ModelFacts) -> ModelFacts:
    """The model with the cost of its backbone, if that is one of timm's."""
    if model.tensors is None:
        return model
    gmacs, macts = known_costs.known_cost(model.tensors, model.record.input_size, num_outputs(model.config))
    return replace(model, record=replace(model.record, gmacs=gmacs, macts=macts))


def _is_classifier(outputs: int) -> bool:
    """ImageNet's 1,000 classes or a larger label set; fewer outputs are the width of an image-text embedding."""
    return outputs == 1000 or outputs > 10_000


def main(arguments: list[str] | None = None) -> int:
    """Builds the zoo and says what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, required=True, help="folder of the published tables")
    parser.add_argument("--cache", type=Path, default=Path("starter_zoo_cache"), help="folder for computed facts")
    parser.add_argument("--out", type=Path, default=_OUT)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    # transformers first: once torchvision is stubbed out for timm, transformers would take the stubs for the real one.
    native = transfergraph.models(options.tables / "transfergraph_models.csv")
    models = timm_models(options.tables, options.cache / "timm_architectures.jsonl")
    rows = known_costs.write_table([row for model in models for row in _cost_rows(model)])
    print(f"{rows} known costs")
    known = {model.record.model_id for model in models}
    models += [_with_cost(model) for model in native if model.record.model_id not in known]
    zoo = index_of(models, id="starter", sources=SOURCES)
    zoo.save(options.out)
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{len(zoo)} models, {size / 1e6:.2f} MB, written to {options.out}")
    for path in sorted(options.out.iterdir()):
        print(f"  {path.name}: {path.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
