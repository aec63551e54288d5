"""What was tried to rank unseen models by their weights view alone: learners, statistics, and what of it helped.

    python benchmarks/weights_view_trials.py --zoo INDEX --ground-truth TABLE --datasets FOLDER [--cache FOLDER]
        [--recipe NAME] [--first-seed 0] [--seeds 3]

Splits, metrics and intervals are those of `view_worth.py`. The variants were chosen on the small zoo's seeds 10 to
21 (`--first-seed 10 --seeds 12`); what is reported is of seeds 0 to 2. Those are other folds of the same 30 models, so
what was chosen is flattered there; the test is our own table of 36 other models, on which nothing was chosen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from evidence.material import Problem, read_models, read_problems
from evidence.steady_ridge import mix_with_mean, predict_steadily
from evidence.weights_reading import weights_reading

from hf_crosssight.evaluation.blind_prediction import predict_split
from hf_crosssight.evaluation.model_splits import (
    ONE_FAMILY,
    ONE_FAMILY_BLIND,
    TWO_FAMILIES,
    UNSEEN_MODELS,
    Split,
    all_splits,
)
from hf_crosssight.evaluation.view_features import ViewFeatures
from hf_crosssight.evaluation.view_regression import TREES, block_scaling, fit_learner, z_targets
from hf_crosssight.evaluation.view_scores import Cell, cells_of, difference, pair_figure, tau_figure
from hf_crosssight.tokens.tensor_statistics import BIAS, MATRIX, NORM
from hf_crosssight.tokens.weights import COLUMNS
from hf_crosssight.zoo.open import open_zoo

SETTINGS = (UNSEEN_MODELS, ONE_FAMILY, TWO_FAMILIES, ONE_FAMILY_BLIND)
Predict = Callable[[Split], np.ndarray]
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""`(features of m models, targets [m, K], features of others)` to outputs of the others."""


class Trials:
    """One table, with what the variants read of each model's weights view."""

    def __init__(self, problem: Problem, weights: np.ndarray, first_seed: int, seeds: int) -> None:
        self.problem, models = problem, problem.models
        self.learnt = np.where(problem.own_data, np.nan, problem.scores)
        self.families = np.array(models.families)
        self.whole = models.views["weights"]
        self.summary, self.movement = weights_reading(weights)
        self.thirds = ViewFeatures(_statistics_by_thirds(weights), self.whole.known)
        self.splits = [
            split
            for split in all_splits(
                models.lineages, models.families, problem.parents, settings=SETTINGS, seeds=first_seed + seeds
            )
            if split.setting != UNSEEN_MODELS or split.seed >= first_seed
        ]

    def cells(self, predict: Predict) -> list[Cell]:
        """Cells of a variant over all splits."""
        own = self.problem
        return [
            cell
            for split in self.splits
            for cell in cells_of(
                predict(split), self.learnt, split, own.datasets, own.parents, own.models.families, own.noise
            )
        ]

    def chosen_inside(self, views: Sequence[ViewFeatures]) -> Predict:
        """The learner of `view_worth.py`: trees, ridge or both, and a width, chosen by inner folds."""
        own = self.problem
        return lambda split: predict_split(
            views, self.learnt, own.descriptors, own.parents, own.models.lineages, own.models.families, split
        )

    def steady(self, views: Sequence[ViewFeatures]) -> Predict:
        """Ridge regression with nothing to choose."""
        return lambda split: predict_steadily(views, self.learnt, split)

    def fixed(self, features: np.ndarray, fit: Fit, *, centred: bool = False) -> Predict:
        """Another learner in the place of ridge regression; `centred` takes features and targets by family.

        Features are then relative to all models of the family, whose weights are known when they are ranked; targets
        to those in training, or to all of these for a family that is not.
        """
        base = _less_family_mean(features, features, self.families, self.families) if centred else features

        def predict(split: Split) -> np.ndarray:
            rest, held = split.train_models, split.test_models
            targets = z_targets(self.learnt[np.ix_(split.train_datasets, rest)])
            known, others = self.families[rest], self.families[held]
            level = np.zeros((len(held), targets.shape[1]))
            if centred:
                level = -_less_family_mean(level, targets, known, others)
                targets = _less_family_mean(targets, targets, known, known)
            scale = block_scaling([base[rest]], None, unit_blocks=False)
            outputs = fit(scale([base[rest]]), targets, scale([base[held]]))
            deviation = mix_with_mean(outputs, split.train_datasets, split.test_datasets)
            return deviation + mix_with_mean(level, split.train_datasets, split.test_datasets)

        return predict


def _less_family_mean(values: np.ndarray, known: np.ndarray, families: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Values of models of families `own` less the mean of the `known` rows of their family, or of all rows."""
    result = values.copy()
    for family in set(own):
        members = families == family
        result[own == family] -= known[members].mean(0) if members.any() else known.mean(0)
    return result


def _ridge(features: np.ndarray, targets: np.ndarray, others: np.ndarray, components: int | None = None) -> np.ndarray:
    from sklearn.linear_model import Ridge

    if components is not None:
        mean = features.mean(0)
        directions = np.linalg.svd(features - mean, full_matrices=False)[2][:components].T
        features, others = (features - mean) @ directions, (others - mean) @ directions
    size = np.sqrt(features.shape[1])
    return np.asarray(Ridge(alpha=0.3).fit(features / size, targets).predict(others / size))


def _trees(features: np.ndarray, targets: np.ndarray, others: np.ndarray) -> np.ndarray:
    return fit_learner(TREES, [features], targets, 0, 80)([others])


def _gaussian_process(features: np.ndarray, targets: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Posterior mean with a squared-exponential kernel of the median width and noise of a tenth of the signal."""
    squared = ((features[:, None] - features[None]) ** 2).sum(-1)
    width = np.median(squared[np.triu_indices(len(features), 1)])
    kernel = np.exp(-squared / (2 * width)) + 0.1 * np.eye(len(features))
    between = np.exp(-((others[:, None] - features[None]) ** 2).sum(-1) / (2 * width))
    mean = targets.mean(0)
    return np.asarray(between @ np.linalg.solve(kernel, targets - mean) + mean)


def _statistics_by_thirds(weights: np.ndarray) -> np.ndarray:
    """Every statistic of the layers (spectra, tails, rows, kernels apart), averaged over thirds of the depth."""
    kept = [COLUMNS.index(name) for name in (*MATRIX, *BIAS, *NORM)]
    flag = [COLUMNS.index(f"{kind}_known") for kind in ("matrix", "bias", "norm")]
    flags = np.repeat(flag, [len(MATRIX), len(BIAS), len(NORM)])
    depth = COLUMNS.index("depth")
    found = []
    for view in weights.astype(np.float64):
        rows = view[1:][view[1:, 0] > 0]
        third = np.minimum((rows[:, depth] * 3).astype(int), 2)
        parts = [(rows[third == i][:, kept], rows[third == i][:, flags] > 0) for i in range(3)]
        found.append(np.concatenate([(v * there).sum(0) / np.maximum(there.sum(0), 1) for v, there in parts]))
    return np.stack(found)


def _variants(trials: Trials) -> dict[str, Predict]:
    whole, views = trials.whole.values, trials.problem.models.views
    reading = [trials.summary, trials.movement]
    return {
        "learner chosen inside, whole view (today)": trials.chosen_inside([trials.whole]),
        "(a) trees, whole view": trials.fixed(whole, _trees),
        "(a) Gaussian process, whole view": trials.fixed(whole, _gaussian_process),
        "(a) ridge, whole view": trials.steady([trials.whole]),
        "(a) ridge, centred by family": trials.fixed(whole, _ridge, centred=True),
        "(a) ridge, centred, 4 components": trials.fixed(whole, partial(_ridge, components=4), centred=True),
        "(a) ridge, summary row alone": trials.steady([trials.summary]),
        "(b) ridge, summary + all statistics by thirds": trials.steady([trials.summary, trials.thirds]),
        "(b) ridge, summary + movement of offsets": trials.steady(reading),
        "(b) ridge, whole view + movement of offsets": trials.steady([trials.whole, trials.movement]),
        "reference: ridge, probe view": trials.steady([views["probe"]]),
    }


def _additions(trials: Trials) -> dict[str, tuple[Predict, Predict]]:
    """Ridge regression without and with the weights view, its summary and all statistics by thirds as one block."""
    views = trials.problem.models.views
    both = np.hstack([trials.summary.values, trials.thirds.values])
    reading = [ViewFeatures(both, trials.whole.known)]
    combinations = ("structure", "probe", "structure+probe", "structure+card+probe")
    found = {"(alone, against today's learner)": (trials.chosen_inside([trials.whole]), trials.steady(reading))}
    for name in combinations:
        rest = [views[view] for view in name.split("+")]
        found[name] = trials.steady(rest), trials.steady([*rest, *reading])
    return found


def main() -> None:
    options = _options()
    models = read_models([], [options.zoo], [])
    zoo = open_zoo(options.zoo)
    for problem in read_problems([options.ground_truth], models, options.datasets, options.cache, options.recipe):
        row_of = {model: row for row, model in enumerate(zoo.model_ids)}
        weights = np.asarray(zoo.views["weights"], np.float32)[[row_of[model] for model in problem.models.ids]]
        trials = Trials(problem, weights, options.first_seed, options.seeds)
        _headings(problem, options)
        for name, predict in _variants(trials).items():
            print(_row(name, trials.cells(predict)), flush=True)
        print(f"\n| weights added to | {' | '.join(SETTINGS)} |\n|---|---|---|---|---|")
        for name, (without, with_weights) in _additions(trials).items():
            print(_added(name, trials.cells(with_weights), trials.cells(without)), flush=True)


def _headings(problem: Problem, options: argparse.Namespace) -> None:
    last = options.first_seed + options.seeds - 1
    print(f"\n## {problem.name}: {len(problem.models.ids)} models of {len(set(problem.models.families))} families, "
          f"{len(problem.datasets)} datasets; unseen models: seeds {options.first_seed} to {last}\n")  # fmt: skip
    print(f"| unseen models: | family pairs | 90 % | tau | 90 % | {' | '.join(SETTINGS[1:])} |")
    print("|---|---:|---|---:|---|---|---|---|")


def _row(name: str, cells: Sequence[Cell]) -> str:
    parts = {setting: [cell for cell in cells if cell.setting == setting] for setting in SETTINGS}
    unseen = parts.pop(UNSEEN_MODELS)
    pairs, tau = pair_figure(unseen), tau_figure(unseen)
    figures = [f"{tau_figure(own).mean:.3f} / {pair_figure(own).mean:.3f}" for own in parts.values()]
    return (
        f"| {name} | {pairs.mean:.3f} | {pairs.low:.2f} to {pairs.high:.2f} | {tau.mean:.3f} | {tau.low:.2f} to "
        f"{tau.high:.2f} | {' | '.join(figures)} |"
    )


def _added(name: str, whole: Sequence[Cell], rest: Sequence[Cell]) -> str:
    found = []
    for setting in SETTINGS:
        chosen = [[cell for cell in cells if cell.setting == setting] for cells in (whole, rest)]
        tau, pairs = difference(*chosen), difference(*chosen, pairs=True)
        found.append(f"{tau.mean:+.3f} ({tau.low:+.2f} to {tau.high:+.2f}) / {pairs.mean:+.3f} ({pairs.low:+.2f} to "
                     f"{pairs.high:+.2f})")  # fmt: skip
    return f"| {name} | {' | '.join(found)} |"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", required=True, help="zoo index")
    parser.add_argument("--ground-truth", type=Path, required=True, help="tidy table")
    parser.add_argument("--recipe", action="append", default=[], help="only this recipe of the table")
    parser.add_argument("--datasets", type=Path, required=True, help="folder of datasets")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
