"""How well latency is predicted on devices and architecture families that were never measured.

python benchmarks/hardware_predict.py timm_hardware.csv --neusight neusight_paper_tables.csv

Unseen device: each of the six in turn, nothing learned from it (nor its intervals calibrated on it); from its
specifications alone, and with 1, 5, 10 and 20 anchors drawn from one run of it, five draws each. Unseen families: five
folds of whole families on known devices. Both unseen: each device, five folds. Errors are |predicted / measured - 1|,
the median over all rows of a device; coverage is of the 90 % interval. Prints JSON lines.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hardware_table import CPUS, GPUS, read_rows, shapes_of, timings_of
from scipy.stats import spearmanr

from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.fit import (
    LeftOut,
    Timings,
    anchored_errors,
    conformal_factors,
    families_left_out,
    family_folds,
    fit_spread,
    fit_utilisation,
    leave_devices_out,
    residuals_of,
)
from hf_crosssight.hardware.residuals import Spread, conformal_factor
from hf_crosssight.hardware.roofline import arithmetic_rate, plain_roofline

_ANCHORS = {1: 0, 5: 2, 10: 3, 20: 4}  # count: position in ANCHOR_COUNTS
_BORROWED = 1.5  # processors: with one left to learn from, the spread between GPUs times this


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--neusight", type=Path, help="neusight_paper_tables.csv: published errors, printed beside")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    rows = read_rows(arguments.table)
    infer = rows[rows.phase == "infer"]
    gpu_spread: tuple[Spread, dict[str, np.ndarray]] | None = None
    for group in (GPUS, CPUS):
        part = infer[infer.device.isin(group)].reset_index(drop=True)
        gpu_spread = unseen_devices(part, timings_of(part), gpu_spread)
        unseen_families(timings_of(part))
    train = rows[rows.phase == "train"].reset_index(drop=True)
    unseen_families(timings_of(train), what="unseen families, training step")
    if arguments.neusight:
        published(arguments.neusight)
    for group in (GPUS, CPUS):
        both_unseen(timings_of(infer[infer.device.isin(group)].reset_index(drop=True)))


def unseen_devices(
    rows: pd.DataFrame, timings: Timings, borrowed: tuple[Spread, dict[str, np.ndarray]] | None
) -> tuple[Spread, dict[str, np.ndarray]]:
    """Each device in turn; returns what was learned of the residuals from all devices of the group."""
    shapes = shapes_of(rows)
    for name in np.unique(timings.device):
        held = timings.device == name
        others, own = timings.take(~held), timings.take(held)
        spread, factors = _residual_knowledge(others, borrowed)
        learned = fit_utilisation(others)
        residuals = residuals_of(learned, own)
        left = LeftOut(learned.scaled(own.features), residuals, own.device, own.run)
        deviation = spread.prior_deviation(left.scaled) * factors["unseen"][0]
        line: dict[str, Any] = {"what": "unseen device", "device": str(name), "rows": len(own)}
        line |= _errors("specifications", residuals, own.log_latency) | {"coverage": _share(residuals, deviation)}
        for count, position in _ANCHORS.items():
            pairs = anchored_errors(spread, left, count, 5, 7)
            errors, deviations = (np.concatenate(column) for column in zip(*pairs, strict=True))
            line[f"{count} anchors"] = _median(errors)
            line[f"{count} anchors coverage"] = _share(errors, deviations * factors["anchored"][position])
        device = find_device(str(name))
        batch = rows.batch_size.to_numpy()
        roofline = np.log(plain_roofline(shapes, device, batch)[held])
        line |= _errors("plain roofline", own.log_latency - roofline, own.log_latency)
        line |= _errors("GMACs only", _by_gmacs(rows, timings, held), own.log_latency)
        _print(line)
    if len(np.unique(timings.device)) > 2:
        return _residual_knowledge(timings, None)
    assert borrowed is not None
    return borrowed


def _residual_knowledge(
    timings: Timings, borrowed: tuple[Spread, dict[str, np.ndarray]] | None
) -> tuple[Spread, dict[str, np.ndarray]]:
    """Spread and conformal factors from devices left out in turn; of a single device borrowed, and widened."""
    if len(np.unique(timings.device)) > 1:
        left_out = leave_devices_out(timings)
        spread = fit_spread(left_out)
        return spread, conformal_factors(spread, left_out)
    assert borrowed is not None
    spread = Spread.from_array(borrowed[0].to_array() * np.array([_BORROWED] * 3 + [1, _BORROWED]))
    return spread, borrowed[1]


def _by_gmacs(rows: pd.DataFrame, timings: Timings, held: np.ndarray) -> np.ndarray:
    """Log residuals of the held-out device by a line in log GMACs, learned on the others, over the devices' rates."""
    rates = {name: arithmetic_rate(find_device(str(name))) for name in np.unique(timings.device)}
    rate = np.log([rates[name] for name in timings.device])
    gmacs = np.log(rows.gmacs.to_numpy())
    line = np.polyfit(gmacs[~held], (timings.log_latency + rate)[~held], 1)
    return timings.log_latency[held] - (np.polyval(line, gmacs) - rate)[held]


def unseen_families(timings: Timings, what: str = "unseen families") -> None:
    """Known devices, whole families left out; the interval of each fold from the other folds' residuals."""
    folds = family_folds(timings.family)
    residuals = families_left_out(timings)
    covered = np.concatenate(
        [np.abs(residuals[f]) <= conformal_factor(residuals[~f], np.ones((~f).sum())) for f in folds]
    )
    for name in np.unique(timings.device):
        own = timings.device == name
        line = {"what": what, "device": str(name), "rows": int(own.sum())}
        _print(line | _errors("specifications and its timings", residuals[own], timings.log_latency[own]))
    _print({"what": what, "coverage of all": round(float(covered.mean()), 3)})


def both_unseen(timings: Timings) -> None:
    """Device and family unseen at once."""
    for name in np.unique(timings.device):
        held = timings.device == name
        residuals = np.empty(len(timings))
        for fold in family_folds(timings.family):
            learned = fit_utilisation(timings.take(~held & ~fold))
            residuals[held & fold] = residuals_of(learned, timings.take(held & fold))
        line = {"what": "device and families unseen", "device": str(name), "rows": int(held.sum())}
        _print(line | _errors("specifications", residuals[held], timings.log_latency[held]))


def published(path: Path) -> None:
    """NeuSight's printed errors (ASPLOS 2025), of language models on GPUs."""
    table = pd.read_csv(path)
    table = table[table["mode"].isin(["inf", "train"])]
    for keys, part in table.groupby(["mode", "predictor"]):
        errors = part.abs_pct_err.dropna()
        line = {"what": "published by NeuSight", "mode": keys[0], "predictor": keys[1], "runs": len(errors)}
        _print(line | {"median error": round(errors.median() / 100, 3), "mean error": round(errors.mean() / 100, 3)})


def _errors(name: str, residuals: np.ndarray, log_latency: np.ndarray) -> dict[str, float]:
    rho = spearmanr(log_latency - residuals, log_latency)[0]
    return {f"{name}: median error": _median(residuals), f"{name}: rank correlation": round(float(rho), 4)}


def _median(residuals: np.ndarray) -> float:
    return round(float(np.median(np.abs(np.expm1(-residuals)))), 4)


def _share(residuals: np.ndarray, half_widths: np.ndarray) -> float:
    return round(float((np.abs(residuals) <= half_widths).mean()), 3)


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
