"""What linear probes read off each frozen view, of models whose lineage they never saw.

    python benchmarks/view_meaning.py --models FOLDER [--models FOLDER ...] [--zoo INDEX ...] [--views FILE.npz ...]
        [--seeds 3] [--only weights,structure+weights]

Three questions: a model's architecture family, the data of its last training, and the accuracy that its card states
for them. The card view must not hold the third: that its text does not change with the reported numbers is checked
first, and a leak ends the run with status 1. Arrays of `--views` files under further names (`arch2vec`,
`arch2vec_thesis`) are judged beside the index's own views. `[parameter count]` is a probe of that number alone;
`shuffled` is the same probe trained on shuffled labels, `majority` names the most frequent class of the training
models. ± is the deviation over seeds of the folds.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from evidence.baselines import PLAIN, source_accuracies, with_plain_statistics
from evidence.leak_check import leaks
from evidence.material import Models, read_models

from hf_crosssight.evaluation.blind_prediction import with_flag
from hf_crosssight.evaluation.view_probes import probe_classes, probe_values, usable_classes

ALONE = ("structure", "card", "weights", "probe", "lineage", "arch2vec")
TOGETHER = ("structure+weights", "structure+weights+probe")
PARAMETERS = "[parameter count]"


def main() -> int:
    options = _options()
    models = with_plain_statistics(read_models(options.models, options.zoo, options.views))
    wrong = [(model, reason) for model, folder in models.folders.items() for reason in leaks(folder, model)]
    for model, reason in wrong:
        print(f"leak: {model}: {reason}")
    print(f"card views that state or follow a reported number: {len(wrong)} of {len(models.folders)} models")
    names = _combinations(models, options.only)
    _classes("architecture family", models, models.families, names, options.seeds)
    _classes("source dataset", models, [_slug(source) for source in models.sources], names, options.seeds)
    _accuracy(models, names, options.seeds)
    return 1 if wrong else 0


def _classes(title: str, models: Models, labels: Sequence[str], names: Sequence[str], seeds: int) -> None:
    kept = usable_classes(labels, models.lineages)
    kept = np.array([i for i in kept if labels[i] != "unknown"], dtype=np.int64)
    own, kin = [labels[i] for i in kept], [models.lineages[i] for i in kept]
    print(f"\n### {title}: {len(kept)} models, {len(set(own))} classes of three lineages or more, "
          f"{len(set(kin))} lineages\n\n| view | accuracy | ± | balanced | shuffled | majority |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|")
    for name in names:
        started = time.perf_counter()
        found = probe_classes([block[kept] for block in _blocks(models, name)], own, kin, seeds)
        print(f"| {name} | {found.accuracy.mean():.3f} | {found.accuracy.std():.3f} | {found.balanced.mean():.3f} | "
              f"{found.permuted.mean():.3f} | {found.majority.mean():.3f} |", flush=True)  # fmt: skip
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)


def _accuracy(models: Models, names: Sequence[str], seeds: int) -> None:
    stated = source_accuracies(models)
    kept = np.flatnonzero(np.isfinite(stated))
    if len(kept) < 15:
        print("\ntoo few models state an accuracy")
        return
    sources, kin = [_slug(models.sources[i]) for i in kept], [models.lineages[i] for i in kept]
    print(f"\n### stated source accuracy: {len(kept)} models, {len(set(kin))} lineages; pairs are of one source "
          "dataset\n\n| view | R2 | ± | Spearman | ± | pairs | ± | R2 shuffled |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in names:
        blocks = [block[kept] for block in _blocks(models, name)]
        found = probe_values(blocks, stated[kept], sources, kin, seeds)
        print(f"| {name} | {found.r2.mean():.3f} | {found.r2.std():.3f} | {found.spearman.mean():.3f} | "
              f"{found.spearman.std():.3f} | {found.pairs.mean():.3f} | {found.pairs.std():.3f} | "
              f"{found.permuted.mean():.3f} |", flush=True)  # fmt: skip


def _blocks(models: Models, name: str) -> list[np.ndarray]:
    if name == PARAMETERS:
        return [np.log10(np.nan_to_num(models.params, nan=1.0))[:, None]]
    return [with_flag(models.views[view]) for view in name.split("+")]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.rpartition("/")[2].lower())


def _combinations(models: Models, only: str | None) -> list[str]:
    usual = {*ALONE, PLAIN}
    others = sorted(set(models.views) - usual)
    everything = "+".join(view for view in ALONE if view in models.views)
    asked = only.split(",") if only else [PARAMETERS, PLAIN, *ALONE, *others, *TOGETHER, everything]
    missing = sorted({view for name in asked for view in name.split("+")} - set(models.views) - {PARAMETERS})
    if missing:
        print(f"no view {', '.join(missing)}: what needs it is left out", file=sys.stderr)
    known = {*models.views, PARAMETERS}
    return [name for name in dict.fromkeys(asked) if set(name.split("+")) <= known]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, action="append", default=[], help="folder of model repositories")
    parser.add_argument("--zoo", action="append", default=[], help="zoo index")
    parser.add_argument("--views", type=Path, action="append", default=[], help=".npz file of views")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="views and combinations, with commas between")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
