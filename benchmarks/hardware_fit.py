"""Learns the bundled latency predictor from timm's benchmark tables.

python benchmarks/hardware_fit.py timm_hardware.csv

Writes hf_crosssight/assets/hardware/latency.safetensors: what was learned, none of the timings themselves.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from hardware_table import CPUS, GPUS, read_rows, timings_of

from hf_crosssight.hardware.fit import (
    Timings,
    conformal_factors,
    device_levels,
    fit_spread,
    fit_utilisation,
    leave_devices_out,
    listed_factor,
)
from hf_crosssight.hardware.utilisation import PREDICTOR, Utilisation, save_utilisations

_NOTE = "Learned from the results of huggingface/pytorch-image-models (Apache-2.0), benchmark-*.csv at aa4b585."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, default=PREDICTOR)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    rows = read_rows(arguments.table)
    infer, train = rows[rows.phase == "infer"], rows[rows.phase == "train"]
    learned = {
        "gpu": _learned(timings_of(infer[infer.device.isin(GPUS)].reset_index(drop=True))),
        "cpu": _learned(timings_of(infer[infer.device.isin(CPUS)].reset_index(drop=True))),
    }
    learned["gpu-train"] = _train(timings_of(train.reset_index(drop=True)), learned["gpu"])
    save_utilisations(learned, arguments.out, _NOTE)
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes")


def _learned(timings: Timings) -> Utilisation:
    left_out = leave_devices_out(timings)
    spread = fit_spread(left_out)
    utilisation = fit_utilisation(timings)
    return dataclasses.replace(
        utilisation,
        device_level=device_levels(utilisation, timings),
        spread={"residual": spread.to_array()},
        conformal=conformal_factors(spread, left_out) | {"listed": listed_factor(timings).astype(np.float32)},
    )


def _train(timings: Timings, infer: Utilisation) -> Utilisation:
    """Training steps were measured on one device alone: how devices differ is taken from inference."""
    utilisation = fit_utilisation(timings)
    return dataclasses.replace(
        utilisation,
        rates=np.vstack([infer.rates[:3], utilisation.rates[3]]),  # where it was measured, nothing changes
        device_level=device_levels(utilisation, timings),
        spread=infer.spread,
        conformal={**infer.conformal, "listed": listed_factor(timings).astype(np.float32)},
    )


if __name__ == "__main__":
    main()
