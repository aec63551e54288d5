"""A ranker as a model repository: weights, configuration, the code that reads them, records, card."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import UserError
from hf_crosssight.evaluation.report import markdown_table
from hf_crosssight.hub import HubClient
from hf_crosssight.hub.card_templates import CARD, model_card, plain
from hf_crosssight.publishing.carried_code import with_code
from hf_crosssight.publishing.evaluation import METRICS, Evaluation, Quadrant, read_evaluation
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
from hf_crosssight.rankers import RankerFiles, find_ranker

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

    from hf_crosssight.models import CrossSightConfig, CrossSightModel

EVALUATION = "evaluation.json"

_TEMPLATE = "ranker.md"
_CODE = ("*_crosssight.py", "checked_fields.py", "ranking_losses.py", "*.safetensors")
_CURVES = ("curves.csv", "curves.png")


def ranker_repository(
    ranker: str, name: str, *, license: str | None = None, evaluation: Path | None = None
) -> Repository:
    """The files of a ranker that loads with and without this package.

    Args:
        ranker (`str`): `bundled` or a folder.
        name (`str`): repository or folder that its card names.
        license (`str`, *optional*): Hub identifier; by default that of the ranker's own card.
        evaluation (`Path`, *optional*): what `evaluate --format json` printed; by default `evaluation.json` beside it.

    Raises:
        UserError: there is no such ranker, licence or evaluation, or its files are damaged.
    """
    from hf_crosssight.models import CrossSightFeatureExtractor

    if ranker != "bundled" and not Path(ranker).expanduser().is_dir():
        raise UserError(f"there is no ranker folder '{ranker}'", "Name the folder that it was saved to, or `bundled`.")
    found = find_ranker(ranker, client=HubClient(offline=True))
    assert isinstance(found, RankerFiles)
    measured = evaluation or (found.folder / EVALUATION)
    figures = read_evaluation(measured) if evaluation or measured.is_file() else None
    model, record = found.load().model, read_record(found.folder)
    card = ranker_card(model, name, licence_for(found.folder, license), record, figures)
    extractor = CrossSightFeatureExtractor(
        image_encoder=model.config.image_encoder, text_encoder=model.config.text_encoder
    )
    files = with_code(model, extractor) | files_of(found.folder, (*_CURVES, "model.safetensors"))
    files |= record_file(record)
    files[CARD] = card.encode()
    if figures is not None:
        files[EVALUATION] = measured
    return Repository("model", files, (*_CODE, *_CURVES, TRAINING, EVALUATION))


def ranker_card(
    model: CrossSightModel,
    name: str,
    licence: str | None,
    record: Mapping[str, Any],
    evaluation: Evaluation | None = None,
) -> str:
    """The README of a ranker.

    Args:
        model (`CrossSightModel`): whose card it is.
        name (`str`): Hub id or folder to load it from.
        licence (`str`, *optional*): Hub identifier.
        record (`dict`): of its training: `tables` (each `id`, `datasets`, `models`, `licence`, `source`,
            `trained_on`), `limits` (sentences), `seconds`, `device`, `carbon_g`; each may be missing.
        evaluation (`Evaluation`, *optional*): the figures.
    """
    from huggingface_hub import ModelCardData

    called = Path(name).name
    data = ModelCardData(
        license=licence,
        library_name="transformers",
        tags=TAGS,
        model_name=called,
        eval_results=_eval_results(evaluation) if evaluation else None,
        co2_eq_emissions=emissions(record),
    )
    fields = {
        "name": called,
        "load_from": name,
        "tables": [{key: plain(value) for key, value in table.items()} for table in record.get("tables", ())],
        "limits": [plain(limit, longest=500) for limit in record.get("limits", ())],
        "carbon": carbon_in_words(record),
        "about": evaluation.about if evaluation else "",
        "unit": evaluation.unit if evaluation else "",
        "quadrants": [_shown(one) for one in evaluation.quadrants] if evaluation else [],
    }
    return model_card(_TEMPLATE, data, fields | _facts(model))


def _facts(model: CrossSightModel) -> dict[str, Any]:
    """What the configuration tells."""
    config: CrossSightConfig = model.config
    return {
        "views": sorted(config.read_views),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "members": config.ensemble_size,
        "datasets": [plain(name) for name in config.trained_on.get("datasets", ())],
        "models": len(config.trained_on.get("models", ())),
        "references": config.num_references,
        "past_models": config.past_models,
        "past_datasets": config.past_datasets,
        "image_encoder": config.image_encoder,
        "text_encoder": config.text_encoder,
    }


def _shown(quadrant: Quadrant) -> dict[str, Any]:
    """A quadrant's table: the ranker first, then the others as they stand in the file."""
    metrics = [metric for metric in METRICS if any(metric in figures for figures in quadrant.methods.values())]
    names = sorted(quadrant.methods, key=lambda method: quadrant.methods[method] is not quadrant.ranker)
    rows = [[plain(name), *(str(quadrant.methods[name].get(metric, "-")) for metric in metrics)] for name in names]
    ceiling = f"{quadrant.ceiling:.3f}" if quadrant.ceiling is not None else ""
    table = markdown_table(["method", *(METRICS[metric] for metric in metrics)], rows)
    return {"name": quadrant.name, "table": table, "ceiling": ceiling}


def _eval_results(evaluation: Evaluation) -> list[EvalResult]:
    """The ranker's own figures as the Hub's front matter has them."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="model-ranking",
            task_name="Model ranking",
            dataset_type="fine-tuning-results",
            dataset_name=f"Fine-tuning results: {quadrant.name}",
            dataset_split=quadrant.name.replace(" ", "-"),
            metric_type=metric,
            metric_name=METRICS[metric],
            metric_value=round(figure.mean, 4),
        )
        for quadrant in evaluation.quadrants
        for metric, figure in quadrant.ranker.items()
    ]
