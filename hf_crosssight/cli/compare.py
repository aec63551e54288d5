"""`hf-crosssight compare` and `hf-crosssight evaluate`: every method side by side, on one dataset or on many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hf_crosssight.cli.options import DebugOption, FormatOption, OfflineOption, TokenOption
from hf_crosssight.cli.output import Format

if TYPE_CHECKING:
    from hf_crosssight.comparison.setup import Setting

COMPARE_EXAMPLES = """Examples:

hf-crosssight compare --dataset ./photos --zoo ./models --methods logme,knn,params

hf-crosssight compare --dataset ./data/mnist --zoo ./models --ground-truth table.csv --datasets ./data --plot ranks.png
"""
EVALUATE_EXAMPLES = """Examples:

hf-crosssight evaluate --zoo ./models --ground-truth table.csv --datasets ./data --format json

hf-crosssight evaluate --zoo ./models --ground-truth ours.csv --train-ground-truth past.csv --datasets ./data

A table has the columns model_id, dataset_id, seed, accuracy. Methods that learn never see results on the target's
parent dataset; without --train-ground-truth they learn from the other parents of the ground truth itself.
"""

_Zoo = Annotated[str, typer.Option(help="Folder of model repositories | index folder | Hub id of an index.")]
_Methods = Annotated[str, typer.Option(metavar="A,B,C", help="Names of methods, or all.")]
_Ranker = Annotated[str, typer.Option(help="Of the method crosssight: bundled | folder | Hub id.")]
_Recipe = Annotated[str | None, typer.Option(help="Of tables with several; full where it is among them.")]
_TrainTable = Annotated[str | None, typer.Option(metavar="TABLE", help="What methods that learn are fitted to.")]
_Models = Annotated[str | None, typer.Option(metavar="FOLDER", help="Files of the models, where the zoo is an index.")]
_PerClass = Annotated[int, typer.Option(help="Images sampled per class.")]
_Seed = Annotated[int, typer.Option(help="Of samples and of methods that start at random.")]
_Workers = Annotated[int, typer.Option(help="Processes that score features, 0 for one a processor.")]


def compare_command(
    dataset: Annotated[str, typer.Option(help="Hub id | folder of class folders | Hub-layout folder | digits")],
    zoo: _Zoo,
    methods: _Methods = "all",
    ground_truth: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Measured accuracies: metrics, and a plot of the ranks.")
    ] = None,
    train_ground_truth: _TrainTable = None,
    datasets: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The tables' datasets, and what models were trained on.")
    ] = None,
    recipe: _Recipe = None,
    plot: Annotated[
        Path | None, typer.Option(help="PNG of ranks; with --ground-truth compare-DATASET.png by default.")
    ] = None,
    config: Annotated[str | None, typer.Option(help="Configuration of the dataset.")] = None,
    split: Annotated[str | None, typer.Option(help="Split to sample; train where there is one.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, branch or tag of the dataset.")] = None,
    image_column: Annotated[str | None, typer.Option(help="Inferred where unambiguous.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Inferred where unambiguous.")] = None,
    images_per_class: _PerClass = 10,
    max_classes: Annotated[int, typer.Option(help="Classes sampled at the most.")] = 100,
    seed: _Seed = 0,
    models: _Models = None,
    ranker: _Ranker = "bundled",
    workers: _Workers = 0,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Score the models of a zoo for a dataset by every method, side by side."""
    with _setting(images_per_class, max_classes, seed, models, workers, offline, token, debug) as setting:
        from hf_crosssight.cli.comparison_pages import print_comparison
        from hf_crosssight.comparison.compare import compare
        from hf_crosssight.errors import UserError
        from hf_crosssight.pictures import require_matplotlib

        if plot is not None and ground_truth is None:
            raise UserError("--plot draws ranks against measured accuracies", "Name them with --ground-truth.")
        if ground_truth is not None:
            require_matplotlib()
        found = compare(
            dataset, zoo, methods=methods, ranker=ranker, ground_truth=ground_truth,
            train_ground_truth=train_ground_truth, datasets=datasets, recipe=recipe, setting=setting,
            config=config, split=split, revision=revision, image_column=image_column, label_column=label_column,
        )  # fmt: skip
        if ground_truth is not None:
            from hf_crosssight.comparison.rank_plot import draw_ranks

            plot = plot or Path(f"compare-{Path(found.dataset['id']).name}.png")
            draw_ranks(found, plot)
    print_comparison(found, format, None if plot is None else str(plot))


def evaluate_command(
    zoo: _Zoo,
    ground_truth: Annotated[str, typer.Option(metavar="TABLE", help="Measured accuracies: file, folder or Hub id.")],
    datasets: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The table's datasets; without it they are Hub ids.")
    ] = None,
    methods: _Methods = "all",
    ranker: _Ranker = "bundled",
    train_ground_truth: _TrainTable = None,
    recipe: _Recipe = None,
    model_folds: Annotated[
        int, typer.Option(help="Hold out each of so many folds of lineages in turn; 0: all models are known.")
    ] = 0,
    images_per_class: _PerClass = 10,
    max_classes: Annotated[int, typer.Option(help="Classes sampled at the most.")] = 30,
    seed: _Seed = 0,
    models: _Models = None,
    workers: _Workers = 0,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Judge every method by measured accuracies on many datasets, with intervals over parent datasets."""
    with _setting(images_per_class, max_classes, seed, models, workers, offline, token, debug) as setting:
        from hf_crosssight.cli.comparison_pages import print_evaluation
        from hf_crosssight.comparison.evaluate import evaluate

        found = evaluate(
            zoo, ground_truth, datasets, ranker=ranker, methods=methods, train_ground_truth=train_ground_truth,
            recipe=recipe, model_folds=model_folds, setting=setting,
        )  # fmt: skip
    print_evaluation(found, format)


@contextmanager
def _setting(
    images_per_class: int,
    max_classes: int,
    seed: int,
    models: str | None,
    workers: int,
    offline: bool,
    token: str | None,
    debug: bool,
) -> Iterator[Setting]:
    """The setting of a comparison, its progress on stderr while it is in use."""
    from hf_crosssight.cli.progress import ProgressLine
    from hf_crosssight.cli.quiet import hide_transformers_bars, silence_libraries

    if not debug:
        silence_libraries()
        hide_transformers_bars()
    from hf_crosssight.comparison.setup import Setting
    from hf_crosssight.hub import HubClient

    progress = ProgressLine()
    try:
        yield Setting(
            images_per_class=images_per_class, max_classes=max_classes, seed=seed, models=models, workers=workers,
            client=HubClient(token=token, offline=offline), progress=progress,
        )  # fmt: skip
    finally:
        progress.close()
