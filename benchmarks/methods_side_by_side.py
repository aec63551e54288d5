"""All methods and baselines on a table of measured accuracies: known models, then models held out by lineage.

    python benchmarks/methods_side_by_side.py --zoo MODELS --ground-truth TABLE --datasets FOLDER [--recipe full]

Every method is judged on the same datasets and the same models. Methods that learn see no result on the target's
parent dataset and, in the second table, none of the models that are ranked. Features and scores are kept in
`$HF_HOME/crosssight/features`, so that a second run takes as long as the fits of the methods that learn.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from hf_crosssight.cli.comparison_pages import evaluation_rows
from hf_crosssight.cli.progress import ProgressLine
from hf_crosssight.cli.quiet import hide_transformers_bars, silence_libraries
from hf_crosssight.comparison import evaluate
from hf_crosssight.comparison.setup import Setting
from hf_crosssight.evaluation.report import markdown_table
from hf_crosssight.hub import HubClient


def section(said: dict[str, Any], seconds: float) -> str:
    """One evaluation as markdown, the best method first."""
    taus = {name: found["weighted_tau"]["mean"] for name, found in said["methods"].items()}
    by_name = {row["method"]: row for row in evaluation_rows(said)}
    rows = [by_name[name] for name in sorted(taus, key=lambda name: (taus[name] is None, -(taus[name] or 0.0)))]
    held = f"{said['model_folds']} folds of lineages held out in turn" if said["model_folds"] else "all models known"
    parents = len({one["parent"] for one in said["datasets"].values()})
    lines = [
        f"{len(said['models'])} models, {len(said['datasets'])} datasets of {parents} parents, {held}; "
        f"{said['interval']}; {seconds:.0f} s, forward passes {said['forward_seconds']:.0f} s.",
        "",
        markdown_table(list(rows[0]), [list(row.values()) for row in rows]),
        "",
    ]
    ceiling = said["ceiling"]
    if ceiling["weighted_tau"] is not None:
        two = " | ".join(f"{name} {ceiling[name]['mean']:.3f}" for name in ("weighted_tau", "weighted_tau_true_rank"))
        lines += [f"Noise ceiling: {two} ({ceiling['note']}).", ""]
    reasons = [
        f"{name}: {next(iter(found['no_figure'].values()))}"
        for name, found in said["methods"].items()
        if found["no_figure"]
    ]
    return "\n".join([*lines, *(f"* {reason}" for reason in reasons), *(f"* {note}" for note in said["warnings"]), ""])


def main(options: argparse.Namespace) -> None:
    """Both evaluations, each printed when it is done."""
    for folds in (0, options.folds):
        begin = time.perf_counter()
        progress = ProgressLine()
        setting = Setting(seed=options.seed, workers=options.workers, models=options.models,
                          client=HubClient(offline=True), progress=progress)  # fmt: skip
        found = evaluate(
            options.zoo, options.ground_truth, options.datasets, methods=options.methods, recipe=options.recipe,
            model_folds=folds, setting=setting,
        )  # fmt: skip
        progress.close()
        print(section(found.to_dict(), time.perf_counter() - begin))
        sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zoo", required=True, help="folder of model repositories, or an index with --models")
    parser.add_argument("--models", help="files of the models, where the zoo is an index")
    parser.add_argument("--ground-truth", required=True)
    parser.add_argument("--datasets", required=True)
    parser.add_argument("--methods", default="all")
    parser.add_argument("--recipe")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=0)
    silence_libraries()
    hide_transformers_bars()
    main(parser.parse_args())
