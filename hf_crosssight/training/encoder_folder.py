"""`train encoder` as a whole: a zoo in, a folder out that holds the encoder, its curves and its clusters.

out/config.json, model.safetensors    the encoder, as `Arch2VecModel.from_pretrained` and the Hub read it
out/curves.csv, curves.png            losses by epoch
out/clusters.png, clusters.json       layers of held-out lineages and of all, with silhouettes
out/training.json                     what it was trained on, how, and how it came out; written last
out/.training/checkpoint.safetensors  while it is under way
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hf_crosssight.errors import UserError
from hf_crosssight.hub.client import HubClient
from hf_crosssight.hub.places import write_text
from hf_crosssight.models import Arch2VecConfig, Arch2VecModel
from hf_crosssight.pictures import require_matplotlib
from hf_crosssight.tokens.arch2vec import encoder_id
from hf_crosssight.tokens.byte_budget import DEFAULT_BUDGET
from hf_crosssight.zoo.open import open_zoo

from .accelerated import accelerator, written_once
from .encoder_clusters import LayerClusters, layer_clusters
from .encoder_corpus import EncoderCorpus, read_corpus
from .encoder_pictures import draw_clusters, draw_curves
from .encoder_trainer import EncoderRecipe, TrainedEncoder, train_encoder
from .saving import without_code

Progress = Callable[[str, int, int | None], None]

_RECORD = "training.json"
_CHECKPOINT = Path(".training") / "checkpoint.safetensors"


def train_encoder_folder(
    zoo: str | Path,
    out: Path,
    config: Arch2VecConfig,
    recipe: EncoderRecipe,
    *,
    budget: int = DEFAULT_BUDGET,
    resume: bool = False,
    client: HubClient | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Trains an encoder on a zoo and writes its folder.

    Args:
        zoo (`str` or `Path`): folder of model repositories, or a zoo index for tensor tokens.
        out (`Path`): folder to write; one that holds a training under way needs `resume`.
        config, recipe: of the network and of the training.
        budget (`int`, defaults to 8 MiB): bytes to read of a model.
        resume (`bool`): go on with the training in `out`; one that is finished is only reported.
        client (`HubClient`, *optional*): for a zoo on the Hub.
        progress (*optional*): called as `progress(step, done, total)`.

    Returns:
        The record that stands in `training.json`.

    Raises:
        UserError: accelerate or matplotlib is missing; the zoo has nothing to train on; `out` holds something else.
        HubError: the Hub or the network is at fault.
    """
    _check_folder(out, resume)
    if resume and (out / _RECORD).is_file():
        return json.loads((out / _RECORD).read_text(encoding="utf-8"))
    index = open_zoo(zoo, client=client, progress=progress)
    devices = accelerator()
    require_matplotlib()
    length = config.input_columns - 1 if config.input_kind == "chunks" else None
    corpus = read_corpus(zoo, index, chunk_length=length, budget=budget, progress=progress)
    config.specs = {corpus.spec.split("/")[0]: corpus.spec}
    checkpoint = out / _CHECKPOINT
    trained = train_encoder(corpus, config, recipe=recipe, checkpoint=checkpoint, resume=resume, progress=progress)

    def write() -> dict[str, Any]:
        if progress is not None:
            progress("drawing", 0, None)
        clusters = layer_clusters(trained.model, corpus, recipe.seed)
        record = _record(zoo, corpus, trained, recipe, clusters)
        _write(out, trained, clusters, record)
        return record

    return written_once(devices, write, out / _RECORD)


def save_encoder(model: Arch2VecModel, folder: Path) -> None:
    """Writes config.json and model.safetensors, each in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".encoder.", dir=folder))
    try:
        with without_code(Arch2VecConfig, Arch2VecModel):
            model.save_pretrained(made)
        for name in ("model.safetensors", "config.json"):
            os.replace(made / name, folder / name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _check_folder(out: Path, resume: bool) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file", "Name a folder for the encoder with --out.")
    if resume or not out.is_dir():
        return
    if (out / _CHECKPOINT).exists():
        raise UserError(f"{out} holds a training that was interrupted", "Go on with --resume, or delete the folder.")
    if any(out.iterdir()):
        raise UserError(f"{out} is not empty", "Name another folder with --out, or delete this one.")


def _record(
    zoo: str | Path, corpus: EncoderCorpus, trained: TrainedEncoder, recipe: EncoderRecipe, clusters: LayerClusters
) -> dict[str, Any]:
    last = trained.curves[trained.best_epoch - 1] if trained.curves else {}
    return {
        "zoo": str(zoo),
        "models": len(corpus),
        "trained_on": len(trained.train_rows),
        "held_out": len(trained.validation_rows),
        "skipped": [{"model_id": name, "reason": reason} for name, reason in corpus.skipped],
        "input": corpus.spec,
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "epochs": len(trained.curves),
        "best_epoch": trained.best_epoch,
        "losses": {name: value for name, value in last.items() if name != "epoch"},
        "silhouettes": {name: _number(value) for name, value in clusters.silhouettes.items()},
        "silhouettes_by_chance": {name: _number(value) for name, value in clusters.by_chance.items()},
        "recipe": asdict(recipe),
        "held_out_models": [corpus.ids[row] for row in trained.validation_rows],
    }


def _number(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else round(value, 4)


def _write(out: Path, trained: TrainedEncoder, clusters: LayerClusters, record: dict[str, Any]) -> None:
    save_encoder(trained.model, out)
    write_text(out / "curves.csv", _csv(trained.curves))
    draw_curves(out / "curves.png", trained.curves, trained.best_epoch)
    record["encoder"] = encoder_id(trained.model, out.name)
    draw_clusters(out / "clusters.png", clusters, record["encoder"])
    kept = {name: record[name] for name in ("encoder", "silhouettes", "silhouettes_by_chance")}
    write_text(out / "clusters.json", json.dumps(kept | {"layers": len(clusters.codes)}, indent=1) + "\n")
    write_text(out / _RECORD, json.dumps(record, indent=1) + "\n")
    shutil.rmtree((out / _CHECKPOINT).parent, ignore_errors=True)


def _csv(curves: list[dict[str, float]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, fieldnames=list(curves[-1]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([{name: f"{value:.6g}" for name, value in figures.items()} for figures in curves])
    return buffer.getvalue()
