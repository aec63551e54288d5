"""The catalogue of devices that is bundled, and finding one by name."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.device import RATES, Device

CATALOGUE = Path(__file__).parents[1] / "assets" / "hardware" / "devices.json"
LOCAL = "local"


@cache
def catalogue() -> tuple[Device, ...]:
    """All bundled devices."""
    return tuple(device_from(entry) for entry in _content()["devices"])


@cache
def figure_sources() -> dict[str, dict[str, str]]:
    """By key, as the devices' `sources` name them: the `url` of a source and `what` it is."""
    found: dict[str, dict[str, str]] = _content()["sources"]
    return found


def find_device(name: str) -> Device:
    """A device by its name or another name of it; `local` is this machine.

    Raises:
        UserError: there is none; the nearest names are offered.
    """
    wanted = plain(name)
    if wanted == LOCAL:
        from hf_crosssight.hardware.local_machine import local_device

        return local_device()
    if name.endswith(".json"):
        from hf_crosssight.hardware.device_file import load_device_file

        return load_device_file(name)
    known = _by_name()
    if wanted in known:
        return known[wanted]
    near = list(dict.fromkeys(known[key].name for key in difflib.get_close_matches(wanted, known, n=8, cutoff=0.5)))
    near = near or [device.name for device in catalogue() if wanted and wanted in plain(device.title)]
    hint = f"Did you mean {', '.join(near[:5])}?" if near else ""
    raise UserError(
        f'There is no device "{name}" in the catalogue.',
        f"{hint} See `hf-crosssight hardware list`; `local` is this machine, FILE.json a device of your own.",
    )


def device_from(entry: Mapping[str, Any]) -> Device:
    """A device from its JSON entry; figures that it does not state are `None`."""
    fields = {name: entry.get(name) for name in Device.__dataclass_fields__ if name not in ("rates", "aliases")}
    fields["sources"] = dict(entry.get("sources") or {})
    rates = entry.get("rates_tflops") or {}
    return Device(
        **fields,  # type: ignore[arg-type]
        rates={name: rates.get(name) for name in RATES},
        aliases=tuple(entry.get("aliases") or ()),
    )


def plain(name: str) -> str:
    """A device's name without case, blanks and hyphens: `i7_12700h` and `i7-12700H` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def taken_names() -> frozenset[str]:
    """All names, as of `plain`, by which a device is found that no file describes."""
    return frozenset({*_by_name(), "local"})


@cache
def _by_name() -> dict[str, Device]:
    named = {}
    for device in catalogue():
        for name in (device.title, *device.aliases, device.name):
            named[plain(name)] = device
    return named


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return content
