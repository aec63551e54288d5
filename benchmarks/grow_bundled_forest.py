"""Grows the bundled ranker's forest and perceptrons: what it says of models that have a probe view.

    python benchmarks/grow_bundled_forest.py --zoo INDEX_OR_FOLDER [--zoo ...] --ground-truth TABLE
        [--ground-truth ...] --datasets FOLDER --recipe full --recipe results --held-out FOLDER
        --out hf_crosssight/assets/ranker

The network of the ranker in `--out` stays as it is, and so does what it says of models without a probe view. The
recipe is what `evaluate_ranker.py` evaluates, grown on everything; `--held-out` is the folder of its outcomes, which
calibrates the shortlist. The card is made anew with the figures of `evaluation.json`; `card_figures.py` is run before.
One core: half a minute once tokens are cached.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import torch
from evaluate_ranker import VIEWS, read_corpus, read_held_out

from hf_crosssight.evaluation.shortlist import COVERAGE, conformal_gap
from hf_crosssight.models import CrossSightModel
from hf_crosssight.publishing.evaluation import read_evaluation
from hf_crosssight.publishing.ranker import EVALUATION, ranker_card
from hf_crosssight.training.forest import probe_anchors, with_forest
from hf_crosssight.training.saving import save_ranker

ABOUT_PROBE = "Models with a probe view are scored by"


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    corpus = read_corpus(options)
    learnt = [table.id for table in corpus.tables if table.id.rpartition("_")[2] in options.recipe]
    if not learnt:
        raise SystemExit(f"no table of the recipes {', '.join(options.recipe)}")
    tasks = corpus.tasks(learnt)
    started = time.perf_counter()
    before = CrossSightModel.from_pretrained(options.out)
    ranker = with_forest(before, tasks, corpus.zoo, corpus.tokens, probe_anchors(options.cache))
    seen = {"datasets": {task.dataset for task in tasks}, "models": {model for task in tasks for model in task.models}}
    record = json.loads((options.out / "training.json").read_text(encoding="utf-8"))
    former = record.get("forest", {}).get("added", {})  # what the forest that is replaced saw, and the network did not
    network = {kind: set(before.config.trained_on.get(kind, ())) - set(former.get(kind, ())) for kind in seen}
    ranker.config.trained_on = {kind: sorted(network[kind] | seen[kind]) for kind in seen}
    if options.held_out:
        held = read_held_out(options.held_out)
        ranker.config.shortlist_gap = conformal_gap(held)
        ranker.config.shortlist_coverage, ranker.config.shortlist_parents = COVERAGE, len({one.parent for one in held})
    record["forest"] = {
        "tables": learnt, "datasets": len(seen["datasets"]),
        "models": len(seen["models"]), "views": list(VIEWS), "seconds": round(time.perf_counter() - started),
        "added": {kind: sorted(seen[kind] - network[kind]) for kind in seen},
    }  # fmt: skip
    own = {
        "id": "full", "datasets": 0, "models": 0, "licence": "apache-2.0", "trained_on": True,
        "source": "this project's own fine-tuning, benchmarks/ground_truth",
    }  # fmt: skip
    for table in (table for table in corpus.tables if table.id in learnt and table.id.endswith("_full")):
        own |= {"datasets": len(table.datasets), "models": len(table.models)}
        record["tables"] = [*(one for one in record["tables"] if one["id"] != own["id"]), own]
    told = (
        f"{ABOUT_PROBE} trees, a linear map and perceptrons that were grown on {len(seen['models'])} small networks "
        f"and {len(seen['datasets'])} datasets; of much larger networks nothing was measured, and their scores stand "
        "on another footing than those of models without a probe view. What those networks reached is recalled where "
        "they are ranked, and is half of their score; a network that it does not know stands beside them on its "
        "features alone."
    )
    record["limits"] = [*(line for line in record["limits"] if not line.startswith(ABOUT_PROBE)), told]
    figures = read_evaluation(options.out / EVALUATION)
    readme = ranker_card(ranker, str(options.out), "apache-2.0", record, figures)
    with tempfile.TemporaryDirectory() as kept:
        shutil.copy2(options.out / EVALUATION, kept)
        save_ranker(ranker, options.out, readme, record)
        shutil.copy2(Path(kept) / EVALUATION, options.out)
    size = sum(path.stat().st_size for path in options.out.iterdir()) / 1e6
    print(f"{options.out}: {size:.1f} MB, {record['forest']['seconds']} s", file=sys.stderr)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--zoo", action="append", required=True, help="zoo index or folder of models")
    parser.add_argument("--ground-truth", type=Path, action="append", required=True, help="tidy table or folder")
    parser.add_argument("--datasets", type=Path, action="append", required=True, help="folder of datasets")
    parser.add_argument("--recipe", action="append", default=[], help="recipe that is learnt from; full by default")
    parser.add_argument("--cache", type=Path, help="folder for dataset tokens")
    parser.add_argument("--held-out", type=Path, help="folder of outcomes to calibrate the shortlist on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the ranker, which is replaced")
    options = parser.parse_args()
    options.recipe = options.recipe or ["full"]
    return options


if __name__ == "__main__":
    main()
