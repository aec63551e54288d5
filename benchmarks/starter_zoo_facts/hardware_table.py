"""Measured speed of timm architectures, from timm's own benchmark tables (`timm_hardware.csv`, Apache-2.0).

One setup per device is bundled, so that figures of one device can be compared: inference, channels-first, the newest
torch measured, eager on GPUs; the two laptop and desktop CPUs were measured compiled only (dynamo, batch 1).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

_SETUPS = {
    "i7_12700h": ("fp32", "dynamo", "2.4.0"),
    "i9_10940x": ("fp32", "dynamo", "2.4.0"),
    "rtx3090": ("amp", "eager", "2.4.0"),
    "rtx4090": ("amp", "eager", "2.9.1"),
    "rtx5090": ("amp", "eager", "2.9.1"),
    "pro6000maxq": ("amp", "eager", "2.9.1"),
}


def measured_by_architecture(path: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Measurements by (architecture, input size), one per device that measured it."""
    import pandas as pd

    table = pd.read_csv(path, dtype={"torch": str})
    table = table[(table.phase == "infer") & (table.layout == "nchw")]
    found: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
    for device, setup in _SETUPS.items():
        chosen = (table.device == device) & (table.precision == setup[0])
        rows = table[chosen & (table.compiler == setup[1]) & (table.torch == setup[2])]
        for row in rows.itertuples():
            found[(row.model, int(row.img_size))].append(
                {
                    "device": device,
                    "precision": setup[0],
                    "compiler": setup[1],
                    "batch_size": int(row.batch_size),
                    "throughput": float(row.throughput_img_s),
                }
            )
    return dict(found)


def cost_by_architecture(path: Path) -> dict[tuple[str, int], tuple[float, float]]:
    """(GMACs, MActs) by (architecture, input size), where the table has both; the largest of those stated.

    A fused attention kernel hides its products from the counter, so the smaller figures are undercounts.
    """
    import pandas as pd

    table = pd.read_csv(path).dropna(subset=["gmacs", "macts"])
    table = table[(table.gmacs > 0) & (table.macts > 0)]
    largest = table.groupby(["model", "img_size"])[["gmacs", "macts"]].max()
    return {(name, int(size)): (float(r.gmacs), float(r.macts)) for (name, size), r in largest.iterrows()}
