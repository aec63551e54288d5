"""A weight encoder as a model repository: weights, configuration, code, curves, clusters, card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.report import markdown_table
from hf_crosssight.hub.card_templates import CARD, model_card, plain
from hf_crosssight.publishing.carried_code import with_code
from hf_crosssight.publishing.records import (
    TAGS,
    TRAINING,
    carbon_in_words,
    emissions,
    licence_for,
    read_record,
    record_file,
)
from hf_crosssight.publishing.repository import Repository, files_of
from hf_crosssight.tokens.arch2vec import load_encoder

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from hf_crosssight.models import Arch2VecModel

_TEMPLATE = "encoder.md"
_CODE = ("*_arch2vec.py", "checked_fields.py", "*.safetensors")
_PICTURES = {"curves.png": "Losses by epoch", "clusters.png": "Codes of layers in two dimensions"}
_BESIDE = ("curves.csv", "clusters.json", *_PICTURES)


def encoder_repository(folder: Path, name: str, *, license: str | None = None) -> Repository:
    """The files of a weight encoder that loads with and without this package.

    Args:
        folder (`Path`): where `train encoder` wrote it.
        name (`str`): repository or folder that its card names.
        license (`str`, *optional*): Hub identifier; by default that of the folder's card.

    Raises:
        UserError: there is no encoder, it reads views of another version, or the Hub knows no such licence.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}", "Name a folder that `hf-crosssight train encoder` wrote.")
    model, record = load_encoder(folder), read_record(folder)
    card = encoder_card(model, name, licence_for(folder, license), record, sorted(files_of(folder, _PICTURES)))
    files = with_code(model) | files_of(folder, (*_BESIDE, "model.safetensors")) | record_file(record)
    return Repository("model", files | {CARD: card.encode()}, (*_CODE, *_BESIDE, TRAINING))


def encoder_card(
    model: Arch2VecModel, name: str, licence: str | None, record: Mapping[str, Any], pictures: list[str]
) -> str:
    """The README of a weight encoder; `record` is its `training.json`, `pictures` are files beside the card."""
    from huggingface_hub import ModelCardData

    config, called = model.config, Path(name).name
    data = ModelCardData(
        license=licence,
        library_name="transformers",
        tags=[*TAGS, "arch2vec", "weight-space-learning"],
        model_name=called,
        eval_results=_eval_results(record) or None,
        co2_eq_emissions=emissions(record),
    )
    fields = {
        "name": called,
        "load_from": name,
        "input": ", ".join(config.specs.values()) or config.input_kind,
        "columns": config.input_columns,
        "codes": config.num_codes,
        "code_size": config.code_size,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trained_on": len(config.trained_on.get("models", ())),
        "held_out": len(record.get("held_out_models", ())),
        "zoo": plain(record.get("zoo", "a zoo")),
        "silhouettes": _silhouettes(record),
        "losses": _losses(record),
        "best_epoch": record.get("best_epoch"),
        "epochs": record.get("epochs"),
        "pictures": [{"file": file, "what": _PICTURES[file]} for file in pictures],
        "carbon": carbon_in_words(record),
    }
    return model_card(_TEMPLATE, data, fields)


def _silhouettes(record: Mapping[str, Any]) -> str:
    """A row for each grouping of layers whose silhouette could be told."""
    chance = record.get("silhouettes_by_chance", {})
    rows = [
        [plain(name).replace("_", " "), f"{value:.3f}", "-" if chance.get(name) is None else f"{chance[name]:.3f}"]
        for name, value in record.get("silhouettes", {}).items()
        if value is not None
    ]
    return markdown_table(["grouped by", "silhouette", "by chance"], rows) if rows else ""


def _losses(record: Mapping[str, Any]) -> str:
    rows = [[f"`{plain(name)}`", f"{value:.4f}"] for name, value in record.get("losses", {}).items()]
    return markdown_table(["loss", "value"], rows) if rows else ""


def _eval_results(record: Mapping[str, Any]) -> list[EvalResult]:
    """The silhouettes as the Hub's front matter has them."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="feature-extraction",
            task_name="Codes of a model's layers",
            dataset_type="model-weights",
            dataset_name=f"Layers of {len(record.get('held_out_models', ()))} held-out models and of all",
            metric_type="silhouette",
            metric_name=f"silhouette, {name.replace('_', ' ')}",
            metric_value=value,
        )
        for name, value in record.get("silhouettes", {}).items()
        if value is not None
    ]
