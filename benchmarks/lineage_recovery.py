"""Who was fine-tuned from whom, by weights alone: how well the parents of the zoo's fine-tuned members are found.

    python benchmarks/lineage_recovery.py --zoo benchmarks/ground_truth/zoo_index --models benchmarks/zoo
        --picture FILE.png

Three measures of nearness: structure views (shapes alone), summary rows of weights views (what the lineage view goes
by) and the cosine of matrices and kernels of one name and shape, where these hold at least half of the smaller model's
(scales and running statistics begin alike in any two networks of an architecture and would hide the rest). *Parent
first*: the parent of a fine-tuned model is the nearest of all others, or, in the second column, of those that are not
descended from it. *Relatives*: all pairs in order of nearness, right where one was fine-tuned from the other,
directly or not; average precision, and recall up to the first mistake. Half a minute on one core.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

from hf_crosssight.evaluation.report import markdown_table
from hf_crosssight.pictures import new_figure, save_figure
from hf_crosssight.tokens.lineage import standardised
from hf_crosssight.zoo.open import open_zoo

_LEAST_SHARED = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", required=True, help="zoo index with structure and weights views")
    parser.add_argument("--models", type=Path, required=True, help="folder of the same models")
    parser.add_argument("--picture", type=Path, help="where to draw the cosines")
    options = parser.parse_args()
    zoo = open_zoo(options.zoo, views=("structure", "weights"))
    ids = list(zoo.model_ids)
    parent = {row: ids.index(base) for row in range(len(zoo)) if (base := zoo.record(row).base_model) in ids}
    shapes = np.asarray(zoo.views["structure"], np.float64).reshape(len(zoo), -1)
    summaries = standardised(np.asarray(zoo.views["weights"][:, 0, 1:], np.float64), np.ones(len(zoo), bool))
    kin = related(parent, len(zoo))[np.triu_indices(len(zoo), 1)]
    cosines = shared_cosines([load_file(options.models / name / "model.safetensors") for name in ids])
    nearness = {
        "structure views": -cdist(shapes, shapes),
        "weights views": -cdist(summaries, summaries),
        "cosine of weights": cosines,
    }
    rows = [[name, *figures(near, parent)] for name, near in nearness.items()]
    chance = [f"{1 / (len(ids) - 1):.3f}", "-", f"{kin.mean():.3f}", "0.000"]
    header = [
        "by",
        "parent first",
        "parent first, descendants aside",
        "relatives: average precision",
        "recall before a mistake",
    ]
    print(f"{len(ids)} models, {len(parent)} of them fine-tuned from another; {kin.sum()} pairs of relatives.\n")
    print(markdown_table(header, [*rows, ["chance", *chance]]))
    if options.picture:
        draw(cosines, parent, ids, [zoo.record(row).family or "" for row in range(len(zoo))], options.picture)


def shared_cosines(weights: list[dict[str, np.ndarray]]) -> np.ndarray:
    """Cosines `[M, M]` of what two models share: tensors of one name and shape; 0 where that is little."""
    weights = [{name: tensor for name, tensor in one.items() if tensor.ndim > 1} for one in weights]
    sizes = [sum(tensor.size for tensor in one.values()) for one in weights]
    found = np.zeros((len(weights),) * 2)
    for i, one in enumerate(weights):
        for j, other in enumerate(weights[:i]):
            names = [name for name, tensor in one.items() if name in other and other[name].shape == tensor.shape]
            if sum(one[name].size for name in names) < _LEAST_SHARED * min(sizes[i], sizes[j]):
                continue
            a, b = (np.concatenate([w[name].ravel().astype(np.float64) for name in names]) for w in (one, other))
            found[i, j] = found[j, i] = float(a @ b / np.sqrt((a @ a) * (b @ b)))
    return found


def ancestors(row: int, parent: dict[int, int]) -> list[int]:
    """The models that one was made from, the nearest first."""
    found = []
    while row in parent:
        row = parent[row]
        found.append(row)
    return found


def related(parent: dict[int, int], count: int) -> np.ndarray:
    """Whether one of two models descends from the other, bool `[M, M]`."""
    found = np.zeros((count, count), bool)
    for row in range(count):
        for one in ancestors(row, parent):
            found[row, one] = found[one, row] = True
    return found


def figures(near: np.ndarray, parent: dict[int, int]) -> list[str]:
    """Parent first, the same with descendants aside, average precision, recall up to the first mistake."""
    count = len(near)
    others = np.where(np.eye(count, dtype=bool), -np.inf, near)
    first = [others[child].argmax() == base for child, base in parent.items()]
    aside = []
    for child, base in parent.items():
        own = others[child].copy()
        own[[row for row in range(count) if child in ancestors(row, parent)]] = -np.inf
        aside.append(own.argmax() == base)
    at = np.triu_indices(count, 1)
    truth, score = related(parent, count)[at], near[at]
    ordered = truth[np.argsort(-score, kind="stable")]
    before = int(np.argmin(ordered)) if not ordered.all() else len(ordered)
    precision = average_precision_score(truth, score)
    return [f"{np.mean(first):.3f}", f"{np.mean(aside):.3f}", f"{precision:.3f}", f"{before / truth.sum():.3f}"]


def draw(cosines: np.ndarray, parent: dict[int, int], ids: list[str], families: list[str], path: Path) -> None:
    """Cosines of all pairs, models of a family and then of a lineage side by side, true parents circled."""
    root = {row: (ancestors(row, parent) or [row])[-1] for row in range(len(ids))}
    order = sorted(range(len(ids)), key=lambda row: (families[row], root[row], len(ancestors(row, parent)), row))
    place = {row: at for at, row in enumerate(order)}
    figure = new_figure(10, 9)
    axes = figure.subplots()
    image = axes.imshow(cosines[np.ix_(order, order)], cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    figure.colorbar(image, label="cosine of matrices and kernels of one name and shape (0: too few)")
    for child, base in parent.items():
        axes.scatter([place[base]], [place[child]], s=90, facecolors="none", edgecolors="red", linewidths=1.2)
    starts = [at for at in range(len(order)) if at == 0 or families[order[at]] != families[order[at - 1]]]
    ends = [*starts[1:], len(order)]
    middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    axes.set_xticks(middles, [families[order[start]] for start in starts], rotation=60, ha="right")
    axes.set_yticks(middles, [families[order[start]] for start in starts])
    axes.set_title("Lineage from weights: child (row) and parent (column) circled")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
