"""A user's own device from a small JSON file, its figures checked before anything is built on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.catalogue import device_from, plain, taken_names
from hf_crosssight.hardware.device import RATES, Device, impossible_figures

EXAMPLE = (
    '{"name": "my-board", "kind": "board", "engine": "cpu", "vendor": "arm", "rates_tflops": {"fp32": 0.15}, '
    '"bandwidth_gb_s": 17, "power_max_w": 12}'
)
_REQUIRED = ("name", "kind", "rates_tflops", "bandwidth_gb_s")
_KNOWN = frozenset(Device.__dataclass_fields__) - {"rates"} | {"rates_tflops"}


def load_device_file(path: str | Path) -> Device:
    """The device that a JSON file describes.

    Needed are `name`, `kind`, `rates_tflops` (with `fp32`) and `bandwidth_gb_s`; what else `Device` holds may stand
    beside them. A figure without a source has the file as its source.

    Raises:
        UserError: the file cannot be read, lacks a figure, or states an impossible one.
    """
    entry = _read(Path(path))
    missing = [name for name in _REQUIRED if entry.get(name) in (None, "", {})]
    if missing:
        raise UserError(f"{path} does not state {', '.join(missing)}.", f"A device file looks like {EXAMPLE}")
    unknown = sorted(set(entry) - _KNOWN) + sorted(
        f"rates_tflops.{n}" for n in set(entry["rates_tflops"]) - set(RATES)
    )
    if unknown:
        raise UserError(
            f"{path} states what no device has: {', '.join(unknown)}.", f"Known: {', '.join(sorted(_KNOWN))}."
        )
    _refuse_taken_names(path, entry)
    entry.setdefault("engine", "gpu" if entry["kind"] == "gpu" else "cpu")
    entry.setdefault("title", entry["name"])
    entry["sources"] = dict.fromkeys([*entry, *entry["rates_tflops"]], f"file {Path(path).name}") | entry.get(
        "sources", {}
    )
    device = device_from(entry)
    wrong = impossible_figures(device)
    if not device.rates.get("fp32"):
        wrong.append("rates_tflops.fp32 is not stated")
    if wrong:
        raise UserError(
            f"{path}: {'; '.join(wrong)}.",
            "Rates are in TFLOPS, bandwidth in GB/s, memory in GB, power in W, clocks in GHz.",
        )
    return device


def _read(path: Path) -> dict[str, Any]:
    try:
        entry = json.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"The device file {path} cannot be read: {error.strerror}.", "Name a JSON file.") from error
    except ValueError as error:
        raise UserError(f"{path} is no JSON: {error}.", f"A device file looks like {EXAMPLE}") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("rates_tflops", {}), dict):
        raise UserError(f"{path} does not describe a device.", f"A device file looks like {EXAMPLE}")
    texts = [
        name for name in ("name", "kind", "engine", "vendor", "title") if not isinstance(entry.get(name, ""), str)
    ]
    if texts:
        raise UserError(f"{path}: {', '.join(texts)} must be text.", f"A device file looks like {EXAMPLE}")
    sources, aliases = entry.get("sources", {}), entry.get("aliases", [])
    if not isinstance(sources, dict) or not all(isinstance(text, str) for text in sources.values()):
        raise UserError(f"{path}: sources must name a source by figure.", 'For example "sources": {"fp32": "..."}.')
    if not isinstance(aliases, list) or not all(isinstance(name, str) for name in aliases):
        raise UserError(f"{path}: aliases must be a list of names.", 'For example "aliases": ["my board"].')
    return entry


def _refuse_taken_names(path: str | Path, entry: dict[str, Any]) -> None:
    """What was measured is known by a device's names: those of another would bring its timings along."""
    taken = taken_names()
    for name in (entry["name"], entry.get("title", ""), *entry.get("aliases", [])):
        if plain(name) in taken:
            raise UserError(
                f"{path}: the name {name!r} belongs to a device of the catalogue or to this machine.",
                "Give your device a name of its own.",
            )
