"""What a user wants of the hardware when models are ranked: a device, limits, preferences, and how they are merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.combine import MERGES
from hf_crosssight.hardware.limits import METRIC_OF, Limits, parse_limit
from hf_crosssight.hardware.preferences import COSTS, Preference, parse_preferences

if TYPE_CHECKING:
    from hf_crosssight.hardware.device import Device

METHODS = ("shadow", "fusion")


@dataclass(frozen=True)
class HardwareRequest:
    """A device and what is wanted of it.

    Attributes:
        device (`Device`): where models shall run.
        limits (`Limits`): what they may cost.
        preferences (`tuple[Preference, ...]`): which costs count, and how much.
        method (`str`): `shadow` or `fusion`.
        merge (`str`): how Shadow joins the two rankings: `product`, `thesis` or `copeland`.
        phase (`str`): `infer` or `train`.
        batch_size (`int`, *optional*): images a pass; as devices of the kind were measured by default.
        pareto (`bool`): whether the front is wanted.
    """

    device: Device
    limits: Limits
    preferences: tuple[Preference, ...]
    method: str
    merge: str
    phase: str
    batch_size: int | None
    pareto: bool

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know of weights that are zero or negative."""
        found = []
        for preference in self.preferences:
            if preference.weight == 0:
                found.append(f"--prefer {preference.metric}=0 leaves {preference.metric} out")
            elif preference.weight < 0:
                more = "less" if preference.exponent < 0 else "more"
                found.append(f"--prefer {preference.metric}={preference.weight:g} is negative: {more} of it is better")
        return tuple(found)


def hardware_request(
    device: str | None,
    *,
    max_latency_ms: str | float | None = None,
    max_memory_mb: str | float | None = None,
    max_energy_j: str | float | None = None,
    prefer: Sequence[str] | str | None = None,
    method: str | None = None,
    merge: str | None = None,
    phase: str | None = None,
    batch_size: int | None = None,
    pareto: bool = False,
) -> HardwareRequest | None:
    """The request that options make, `None` where no hardware is asked for.

    Raises:
        UserError: an option without a device, an unknown name, a number that cannot be, or limits that contradict.
    """
    given: dict[str, Any] = {
        "max_latency_ms": max_latency_ms, "max_memory_mb": max_memory_mb, "max_energy_j": max_energy_j,
        "prefer": prefer or None, "method": method, "merge": merge, "phase": phase, "batch_size": batch_size,
        "pareto": pareto or None,
    }  # fmt: skip
    if device is None:
        asked = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
        if asked:
            raise UserError(f"{asked[0]} needs to know on which device.", "Add --device NAME, or --device local.")
        return None
    from hf_crosssight.hardware.catalogue import find_device
    from hf_crosssight.hardware.predict import PHASES

    for option, value, known in (("method", method, METHODS), ("merge", merge, MERGES), ("phase", phase, PHASES)):
        if value is not None and value not in known:
            raise UserError(f"--{option} {value!r} is not known.", f"Take {' or '.join(known)}.")
    if batch_size is not None and batch_size < 1:
        raise UserError(f"--batch-size is {batch_size}.", "A pass has at least one image.")
    request = HardwareRequest(
        device=find_device(device),
        limits=Limits(*(parse_limit(given[name], name) for name in METRIC_OF)),
        preferences=parse_preferences((prefer,) if isinstance(prefer, str) else tuple(prefer or ())),
        method=method or "shadow",
        merge=merge or "product",
        phase=phase or "infer",
        batch_size=batch_size,
        pareto=pareto,
    )
    _refuse_contradictions(request, merge)
    return request


def _refuse_contradictions(request: HardwareRequest, merge: str | None) -> None:
    """Options that cannot be met together, whatever the models."""
    device = request.device
    energy = request.limits.max_energy_j is not None
    energy = energy or any(p.metric in ("energy_j", "power_w") for p in request.preferences if p.weight)
    if energy and not device.power_max_w:
        raise UserError(
            f"The power of {device.title} is not known, so energy cannot count.", "Give its power in a device file."
        )
    if request.method == "fusion" and (merge is not None or request.preferences):
        raise UserError(
            "--method fusion makes one ranking: there is nothing to merge or to prefer.",
            "Leave out --prefer and --merge, or take --method shadow.",
        )
    if merge in ("thesis", "copeland") and not request.preferences:
        raise UserError(
            f"--merge {merge} joins two rankings, and no cost is preferred.",
            f"Add --prefer, one of {', '.join(COSTS)}.",
        )
