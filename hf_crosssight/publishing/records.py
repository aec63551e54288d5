"""What stands beside a trained model and goes into its card: `training.json`, the licence of its own card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from hf_crosssight.errors import UserError
from hf_crosssight.hub.cache import read_front_matter
from hf_crosssight.hub.card_templates import CARD, TASK_TAG
from hf_crosssight.hub.licences import check_licence
from hf_crosssight.hub.resolved import license_of

TRAINING = "training.json"
TAGS = [TASK_TAG, "transfer-learning", "crosssight"]


def read_record(folder: Path) -> dict[str, Any]:
    """What was written of the training, `{}` if nothing was; absolute paths are cut to their last part.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / TRAINING
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not readable JSON: {error}", "Delete it, or train again.") from error
    return _public(found) if isinstance(found, dict) else {}


def record_file(record: Mapping[str, Any]) -> dict[str, bytes | Path]:
    """The record as a file of a repository, none if there is no record."""
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    return {TRAINING: text.encode()} if record else {}


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _public(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_public(one) for one in value]
    if isinstance(value, str) and (PurePosixPath(value).is_absolute() or PureWindowsPath(value).is_absolute()):
        return PureWindowsPath(value).name  # which knows both separators
    return value


def licence_for(folder: Path, given: str | None) -> str | None:
    """The licence to publish under: the one given, else what the folder's own card says, else none.

    Raises:
        UserError: the Hub knows no such licence.
    """
    if given is not None:
        return check_licence(given)
    return license_of(read_front_matter(folder / CARD))


def emissions(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """`co2_eq_emissions` as the Hub has it, where the training measured its carbon."""
    grams = record.get("carbon_g")
    if grams is None:
        return None
    told = {"emissions": grams, "source": "codecarbon", "training_type": "from scratch"}
    return told | ({"hardware_used": str(record["device"])} if record.get("device") else {})


def carbon_in_words(record: Mapping[str, Any]) -> str:
    """Carbon and time of the training, as far as they were measured."""
    took = (
        f"Training took {record['seconds'] / 60:.0f} min" if record.get("seconds") else "How long it took is not told"
    )
    where = f" on {record['device']}" if record.get("device") else ""
    if record.get("carbon_g") is not None:
        return f"{took}{where} and caused {record['carbon_g']:.1f} g of CO2 equivalents (codecarbon)."
    return f"{took}{where}. Its carbon was not measured."
