"""What each view of a model is worth for ranking models that were not seen in training.

    python benchmarks/view_worth.py --zoo INDEX --models FOLDER [--zoo ... --models ...] --ground-truth TABLE [...]
        --datasets FOLDER [--views FILE.npz ...] [--cache FOLDER] [--seeds 3]
    python benchmarks/view_worth.py ... --views FILE.npz --only weights,structure+weights --quick      # while tuning

`--zoo` is an index (`hf-crosssight zoo build --from FOLDER --out INDEX`), `--models` the folder of model repositories
(`org/name/`) that it was built of, or one without an index (structure and card are read then); the baselines need the
folders. The views of every `.npz` file (array `ids` of model ids, and one array `[M, n, Dv]` or `[M, D]` a view) are
added or put in their place. `--ground-truth` is a tidy table (`model_id, dataset_id, seed, accuracy`, a column
`recipe` allowed) or a folder of them; each table and recipe is a problem of its own. `--datasets` holds the datasets'
images (`org/name/` or `name/`); their tokens, and LogME's scores, are kept under `--cache`. `--only` names
combinations; `--quick` leaves out unseen datasets and the baselines that need forward passes.

A model's self-transfer pairs are neither learnt from nor scored; `--with-own` scores them too. Intervals are 90 %, by
a two-way bootstrap over what is held out and over parents of datasets; ± is the deviation over seeds, or families.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from evidence.baselines import PLAIN, STATED, ceiling_line, fixed_rankings, with_reference_views
from evidence.material import Models, Problem, read_models, read_problems
from evidence.target_scores import target_logme

from hf_crosssight.evaluation.blind_prediction import predict_split
from hf_crosssight.evaluation.model_splits import (
    FAMILY_SETTINGS,
    ONE_FAMILY,
    SETTINGS,
    TWO_FAMILIES,
    UNSEEN_MODELS,
    Split,
    all_splits,
)
from hf_crosssight.evaluation.view_scores import (
    Cell,
    Figure,
    cells_of,
    difference,
    gated_off,
    pair_figure,
    tau_figure,
)

COMBINATIONS = (
    "structure",
    "card",
    "weights",
    "probe",
    "lineage",
    "arch2vec",
    "structure+weights",
    "structure+probe",
    "structure+weights+probe",
    "structure+card+probe",
    "structure+card+probe+weights",
)
ALL_VIEWS = ("structure", "card", "weights", "probe", "lineage", "arch2vec")
QUICK = (UNSEEN_MODELS, ONE_FAMILY, TWO_FAMILIES)
Results = dict[str, list[Cell]]


def main() -> None:
    options = _options()
    models = with_reference_views(read_models(options.models, options.zoo, options.views))
    for problem in read_problems(options.ground_truth, models, options.datasets, options.cache, options.recipe):
        _judge(problem, options)


def _judge(problem: Problem, options: argparse.Namespace) -> None:
    models = problem.models
    print(f"\n## {problem.name}: {len(models.ids)} models of {len(set(models.lineages))} lineages and "
          f"{len(set(models.families))} families, {len(problem.datasets)} datasets; standard error of an accuracy "
          f"{problem.noise:.4f}; {int(problem.own_data.sum())} self-transfer pairs "
          f"{'scored' if options.with_own else 'left out'}\n\n{ceiling_line(problem)}")  # fmt: skip
    settings = tuple(options.setting) or (QUICK if options.quick else SETTINGS)
    splits = list(
        all_splits(models.lineages, models.families, problem.parents, settings=settings, seeds=options.seeds)
    )
    for setting in settings:
        print(_chance_line(problem, [split for split in splits if split.setting == setting], setting))
    results = _baselines(problem, splits, options)
    for name in _combinations(models, options.only):
        started = time.perf_counter()
        results[name] = _cells(problem, splits, options.with_own, name.split("+"))
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    for setting in settings:
        _table(setting, results)
    _differences(results, settings)


def _baselines(problem: Problem, splits: Sequence[Split], options: argparse.Namespace) -> Results:
    logme = None
    if options.models and options.cache and not options.quick:
        logme = target_logme(options.models, problem.models.ids, problem.datasets, options.datasets, options.cache)
    found = {}
    for name, predicted in fixed_rankings(problem, logme).items():
        found[name] = [
            cell
            for split in splits
            for cell in _scored(
                problem, split, predicted[np.ix_(split.test_datasets, split.test_models)], options.with_own
            )
        ]
    return found


def _chance_line(problem: Problem, splits: Sequence[Split], setting: str, draws: int = 20) -> str:
    """Mean and standard deviation of what random rankings score on the splits of a setting."""
    taus, pairs = [], []
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        fixed = rng.normal(size=problem.scores.shape)
        cells = [c for s in splits for c in _scored(problem, s, fixed[np.ix_(s.test_datasets, s.test_models)], False)]
        taus.append(np.nanmean([cell.tau for cell in cells]))
        pairs.append(sum(cell.pairs.right for cell in cells) / max(sum(cell.pairs.pairs for cell in cells), 1))
    return (
        f"chance, {setting}: tau {np.mean(taus):.3f} ± {np.std(taus):.3f}, family pairs {np.mean(pairs):.3f} ± "
        f"{np.std(pairs):.3f} ({draws} random rankings)"
    )


def _cells(problem: Problem, splits: Sequence[Split], with_own: bool, views: Sequence[str]) -> list[Cell]:
    """Cells of one combination of views over all splits."""
    models, cells = problem.models, []
    learnt = np.where(problem.own_data, np.nan, problem.scores)
    for split in splits:
        predicted = predict_split(
            [models.views[name] for name in views], learnt, problem.descriptors, problem.parents, models.lineages,
            models.families, split,
        )  # fmt: skip
        cells += _scored(problem, split, predicted, with_own)
    return cells


def _scored(problem: Problem, split: Split, predicted: np.ndarray, with_own: bool) -> list[Cell]:
    scores = np.where(problem.own_data & (not with_own), np.nan, problem.scores)
    return cells_of(
        predicted, scores, split, problem.datasets, problem.parents, problem.models.families, problem.noise
    )  # fmt: skip


def _table(setting: str, results: Mapping[str, list[Cell]]) -> None:
    chosen = {name: _of(cells, setting) for name, cells in results.items()}
    if not any(chosen.values()):
        return
    first = next(iter(chosen.values()))
    count = sum(cell.pairs.pairs for cell in first)
    clear = sum(cell.pairs.clear for cell in first)
    ties = sum(cell.pairs.ties for cell in first)
    print(f"\n### {setting}: {len({c.group for c in first})} trainings or groups, {len(first)} cells, {count} family "
          f"pairs ({clear} clear of the noise, {ties} ties left out)\n")  # fmt: skip
    print("| features | weighted tau | ± | 90 % | family pairs | ± | 90 % | clear pairs |")
    print("|---|---:|---:|---|---:|---:|---|---:|")
    for name, cells in chosen.items():
        tau, pairs, sure = tau_figure(cells), pair_figure(cells), pair_figure(cells, clear=True)
        print(f"| {name} | {tau.mean:.3f} | {tau.spread:.3f} | {_interval(tau)} | {pairs.mean:.3f} | "
              f"{pairs.spread:.3f} | {_interval(pairs)} | {sure.mean:.3f} |", flush=True)  # fmt: skip


def _differences(results: Mapping[str, list[Cell]], settings: Sequence[str]) -> None:
    """What each view adds to each combination without it, and whether weights and codes are to be gated off."""
    print(
        "\n### what adding a view changes\n\n| view | added to | setting | tau | 90 % | family pairs | 90 % | gate |"
    )
    print("|---|---|---|---:|---|---:|---|---|")
    verdicts: dict[str, list[tuple[bool, str]]] = {}
    for view, rest, whole in _additions(results):
        for setting in settings:
            pair = _of(results[whole], setting), _of(results[rest], setting)
            if not pair[0]:
                continue
            tau, own = difference(*pair), difference(*pair, pairs=True)
            alone = tau_figure(_of(results[view], setting)) if view in results else None
            gate = ""
            if setting in FAMILY_SETTINGS and alone is not None:
                off = gated_off(tau, alone)
                gate = "off" if off else "on"
                verdicts.setdefault(view, []).append(
                    (off, f"{tau.mean:+.3f} to {rest}, alone {alone.mean:.3f}, {setting}")
                )
            print(f"| {view} | {rest} | {setting} | {tau.mean:+.3f} | {_interval(tau)} | {own.mean:+.3f} | "
                  f"{_interval(own)} | {gate} |")  # fmt: skip
    for view, found in verdicts.items():
        against = [words for off, words in found if off]
        verdict = f"off ({len(against)} of {len(found)} cases: {'; '.join(against)})" if against else "on"
        print(f"\ngate of {view} for families unlike those in training: {verdict}")


def _additions(results: Mapping[str, list[Cell]]) -> list[tuple[str, str, str]]:
    """(view, combination without it, combination with it) among what was judged."""
    by_views = {frozenset(name.split("+")): name for name in results}
    return [
        (view, by_views[views - {view}], name)
        for views, name in by_views.items()
        for view in sorted(views)
        if len(views) > 1 and views - {view} in by_views
    ]


def _of(cells: Sequence[Cell], setting: str) -> list[Cell]:
    return [cell for cell in cells if cell.setting == setting]


def _interval(figure: Figure) -> str:
    return f"{figure.low:.3f} to {figure.high:.3f}"


def _combinations(models: Models, only: str | None) -> list[str]:
    """The combinations whose views are there; views of a file under other names are judged alone as well."""
    usual = {view for name in COMBINATIONS for view in name.split("+")}
    others = sorted(set(models.views) - usual - {PLAIN, STATED})
    everything = "+".join(view for view in ALL_VIEWS if view in models.views)
    asked = only.split(",") if only else [PLAIN, STATED, *COMBINATIONS, *others, everything]
    missing = sorted({view for name in asked for view in name.split("+")} - set(models.views))
    if missing:
        print(f"no view {', '.join(missing)}: what needs it is left out", file=sys.stderr)
    return [name for name in dict.fromkeys(asked) if all(view in models.views for view in name.split("+"))]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, action="append", default=[], help="folder of model repositories")
    parser.add_argument("--zoo", action="append", default=[], help="zoo index")
    parser.add_argument("--ground-truth", type=Path, action="append", required=True, help="tidy table or folder")
    parser.add_argument("--recipe", action="append", default=[], help="only this recipe of the tables")
    parser.add_argument("--datasets", type=Path, required=True, help="folder of datasets")
    parser.add_argument("--views", type=Path, action="append", default=[], help=".npz file of views")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens and LogME's scores")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="combinations, with commas between")
    parser.add_argument("--setting", action="append", default=[], choices=SETTINGS, help="only this; repeat")
    parser.add_argument("--quick", action="store_true", help="no unseen datasets, no forward passes")
    parser.add_argument("--with-own", action="store_true", help="score self-transfer pairs too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
