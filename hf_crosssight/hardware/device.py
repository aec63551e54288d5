"""`Device`: what a machine can do at most, each figure with its source, and which figures cannot be true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = ("gpu", "cpu", "board", "phone")
ENGINES = ("gpu", "cpu")
RATES = ("fp32", "fp16", "fp16_tensor")

# Vendors of which measurements exist per engine; a device of another one is predicted by what holds for these.
MEASURED_VENDORS = {"gpu": ("nvidia",), "cpu": ("intel", "amd")}

# What no device of any kind reaches or falls below: a figure outside is a slip of the pen or of the unit.
POSSIBLE = {
    "rates": (1e-4, 2e4),  # TFLOPS
    "bandwidth_gb_s": (0.1, 5e4),
    "memory_gb": (0.05, 1e4),
    "power_idle_w": (0.01, 2e3),
    "power_max_w": (0.1, 2e4),
    "cores": (1, 5e4),
    "base_ghz": (0.05, 10.0),
    "boost_ghz": (0.05, 10.0),
    "year": (1995, 2100),
}


@dataclass(frozen=True)
class Device:
    """What one device can do at most; an unknown figure is `None`, never a guess.

    Attributes:
        name (`str`): as commands take it, e.g. `rtx4090`.
        title (`str`): the vendor's name.
        kind (`str`): `gpu`, `cpu`, `board` or `phone`.
        engine (`str`): what of it computes, `gpu` or `cpu`.
        vendor (`str`, *optional*): lower case.
        year (`int`, *optional*): of release.
        rates (`dict[str, float | None]`): peak rates in TFLOPS (a multiply-accumulate is two): `fp32`, `fp16` of the
            vector units, `fp16_tensor` of the tensor cores, dense, with FP32 accumulation.
        bandwidth_gb_s (`float`, *optional*): of its memory, 1e9 bytes a second.
        memory_gb (`float`, *optional*): as the vendor counts it; of a CPU what the machine has.
        power_idle_w, power_max_w (`float`, *optional*): watts when idle; board or design power.
        cores (`int`, *optional*): physical cores, or streaming multiprocessors.
        base_ghz, boost_ghz (`float`, *optional*): clocks; `fp32` of a CPU is stated at the boost clock.
        aliases (`tuple[str, ...]`): other names.
        sources (`dict[str, str]`): by figure, where it comes from.
    """

    name: str
    title: str
    kind: str
    engine: str
    vendor: str | None = None
    year: int | None = None
    rates: Mapping[str, float | None] = field(default_factory=dict)
    bandwidth_gb_s: float | None = None
    memory_gb: float | None = None
    power_idle_w: float | None = None
    power_max_w: float | None = None
    cores: int | None = None
    base_ghz: float | None = None
    boost_ghz: float | None = None
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def extrapolated(self) -> bool:
        """Whether nothing like it was measured: boards, phones, and vendors of which no timings were at hand."""
        return self.kind in ("board", "phone") or self.vendor not in MEASURED_VENDORS[self.engine]

    @property
    def measured_alike(self) -> bool:
        return not self.extrapolated


def impossible_figures(device: Device) -> list[str]:
    """What cannot be true of a device, each in one line; empty where all can be."""
    found = []
    if device.kind not in KINDS:
        found.append(f"kind {device.kind!r} is none of {', '.join(KINDS)}")
    if device.engine not in ENGINES:
        found.append(f"engine {device.engine!r} is none of {', '.join(ENGINES)}")
    figures = {f"rates.{name}": (value, POSSIBLE["rates"]) for name, value in device.rates.items()}
    figures |= {name: (getattr(device, name), bounds) for name, bounds in POSSIBLE.items() if name != "rates"}
    for name, (value, (low, high)) in figures.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            found.append(f"{name} {value!r} is no number")
        elif not low <= value <= high:
            found.append(f"{name} {value:g} lies outside {low:g} to {high:g}")
    return found or _contradictions(device)


def _contradictions(device: Device) -> list[str]:
    """Figures that are possible each but not together."""
    found = []
    pairs = (("power_idle_w", "power_max_w"), ("base_ghz", "boost_ghz"))
    for low_name, high_name in pairs:
        low, high = getattr(device, low_name), getattr(device, high_name)
        if low is not None and high is not None and low > high:
            found.append(f"{low_name} {low:g} is above {high_name} {high:g}")
    vector, tensor = device.rates.get("fp32"), device.rates.get("fp16_tensor")
    if vector and tensor and not vector <= tensor <= 64 * vector:
        found.append(f"fp16_tensor {tensor:g} TFLOPS does not fit fp32 {vector:g} TFLOPS")
    if vector and device.bandwidth_gb_s and not 1 <= vector * 1e3 / device.bandwidth_gb_s <= 2000:
        found.append(f"{vector:g} TFLOPS do not fit {device.bandwidth_gb_s:g} GB/s")
    return found
