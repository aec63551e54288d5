"""`hf-crosssight ground-truth ...`: collect fine-tuning results, make a zoo to earn them, look at what is there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_crosssight.cli.options import DebugOption, FormatOption, OfflineOption
from hf_crosssight.cli.output import Format, print_record
from hf_crosssight.cli.value_lists import ValueLists
from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from hf_crosssight.cli.progress import ProgressLine
    from hf_crosssight.ground_truth.tables import GroundTruthTable

COLLECT_EXAMPLES = """Examples:

hf-crosssight ground-truth collect --zoo ./zoo --dataset cifar10 --dataset ./my_photos --out ./table --recipe head

hf-crosssight ground-truth collect --zoo ./zoo --dataset ./data --out ./table --recipe knn --recipe head --recipe full

Run the same command again to go on after an interruption, or in several shells to share the work. On several GPUs:

accelerate launch --num_processes 4 -m hf_crosssight ground-truth collect --zoo ./zoo --dataset cifar10 --out ./table
"""
MAKE_ZOO_EXAMPLES = "Example: hf-crosssight ground-truth make-zoo --datasets ./datasets --out ./zoo --count 12"
PICTURE_EXAMPLES = "Example: hf-crosssight ground-truth picture ./table"
INFO_EXAMPLES = "Example: hf-crosssight ground-truth info ./table --format json"
CEILING_EXAMPLES = "Example: hf-crosssight ground-truth ceiling ./table --recipe full"
SCORE_EXAMPLES = "Example: hf-crosssight ground-truth score --reported reported.csv --target MNIST"

app = typer.Typer(
    name="ground-truth",
    help="Fine-tuning results: collect them, describe them, and make a zoo to earn them.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_TableArgument = Annotated[
    str, typer.Argument(help="Folder, CSV, Parquet file or Hub id with model_id, dataset_id, seed, accuracy.")
]


def _quietly(debug: bool) -> ProgressLine:
    from hf_crosssight.cli.progress import ProgressLine
    from hf_crosssight.cli.quiet import hide_transformers_bars, silence_libraries

    if not debug:
        silence_libraries()
        hide_transformers_bars()
    return ProgressLine()


@app.command("collect", cls=ValueLists, epilog=COLLECT_EXAMPLES)
def collect_command(
    zoo: Annotated[list[str], typer.Option(help="Folder of model repositories | one of them | Hub id; repeat.")],
    dataset: Annotated[list[str], typer.Option(help="Hub id | dataset folder | folder of them | digits; repeat.")],
    out: Annotated[Path, typer.Option(help="Folder of the table; an existing one is gone on with.")],
    recipe: Annotated[
        list[str] | None, typer.Option(help="full | head | knn; repeat. full by default, if no --subsets.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many, from 0.")] = 2,
    subsets: Annotated[int, typer.Option(help="Class-subset tasks of each dataset, by knn and a ridge head.")] = 0,
    model: Annotated[list[str] | None, typer.Option(metavar="ID", help="Of the zoo, only these; repeat.")] = None,
    max_train: Annotated[int | None, typer.Option(help="Training images; 600 by default.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Of the recipe full; 4 by default.")] = None,
    lr: Annotated[
        list[float] | None, typer.Option(help="Learning rates of full to choose from; repeat. 1e-3 3e-4 3e-3.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a table; this is always done.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed runs once more.")] = False,
    max_minutes: Annotated[float | None, typer.Option(help="Begin nothing new after so many minutes.")] = None,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0 for all; 1 makes results repeatable.")] = 1,
    precision: Annotated[str | None, typer.Option(help="no | bf16 | fp16; bf16 where the GPU has it.")] = None,
    offline: OfflineOption = False,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Fine-tune every model on every dataset; interrupted or run twice, nothing is lost and nothing done twice."""
    from hf_crosssight.ground_truth.recipes import make_recipe

    if precision not in (None, "no", "bf16", "fp16"):
        raise UserError(f"--precision is {precision!r}", "Take no, bf16 or fp16.")
    rates = tuple(lr) if lr else None
    recipes = [
        make_recipe(name, max_train=max_train, epochs=epochs, learning_rates=rates)
        for name in dict.fromkeys(recipe or ([] if subsets else ["full"]))
    ]
    progress = _quietly(debug)
    from hf_crosssight.ground_truth.collect import collect
    from hf_crosssight.ground_truth.training_loop import is_main_process

    try:
        found = collect(
            zoo, dataset, out, recipes=recipes, seeds=seeds, subsets=subsets, only=model or (),
            retry_failed=retry_failed,
            stop_after=None if max_minutes is None else 60 * max_minutes, threads=threads or None,
            mixed_precision=precision, offline=offline, progress=progress,
        )  # fmt: skip
    finally:
        progress.close()
    if is_main_process():
        print_record(
            {"folder": str(found.folder), "results": found.records, "failed": found.failed, "causes": found.causes,
             "not_begun": found.missing, "unreadable_lines": found.broken_lines, "skipped": found.skipped,
             "warnings": list(found.warnings)},
            format,
        )  # fmt: skip


@app.command("make-zoo", cls=ValueLists, epilog=MAKE_ZOO_EXAMPLES)
def make_zoo_command(
    datasets: Annotated[list[str], typer.Option(help="Sources: Hub ids, dataset folders or folders of them; repeat.")],
    out: Annotated[Path, typer.Option(help="Folder of the zoo; an existing one is gone on with.")],
    count: Annotated[int | None, typer.Option(help="Models; by default six of each of twelve families.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is dealt or drawn.")] = 0,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only these members and their ancestors; repeat.")
    ] = None,
    organisation: Annotated[str, typer.Option(help="First part of the models' ids.")] = "lineage-zoo",
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0 for all; 1 makes weights repeatable.")] = 1,
    offline: OfflineOption = False,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Train small models of many families and lineages, as Hub repositories that tell their true source."""
    progress = _quietly(debug)
    from hf_crosssight.ground_truth.make_zoo import make_zoo

    try:
        made = make_zoo(
            datasets, out, count=count, seed=seed, only=model or (), organisation=organisation,
            threads=threads or None, offline=offline, progress=progress,
        )  # fmt: skip
    finally:
        progress.close()
    print_record(
        {"folder": str(made.folder), "made": len(made.made), "found": len(made.found), "held": len(made.held)}, format
    )


@app.command("picture", epilog=PICTURE_EXAMPLES)
def picture_command(
    table: Annotated[Path, typer.Argument(help="Folder of a collected table.")],
    format: FormatOption = Format.auto,
) -> None:
    """Draw a table: heat map, shares of variance, similarity of datasets; its card shows pictures and figures."""
    from hf_crosssight.evaluation.metrics import weighted_tau
    from hf_crosssight.ground_truth.table_pictures import draw_pictures
    from hf_crosssight.ground_truth.tidy_tables import load_tidy
    from hf_crosssight.hub.places import write_text
    from hf_crosssight.pictures import require_matplotlib
    from hf_crosssight.publishing.ground_truth import card_of

    require_matplotlib()
    if not table.is_dir():
        raise UserError(f"{table} is no folder", "Name the --out of ground-truth collect.")
    drawn = draw_pictures(load_tidy(table), table, weighted_tau)
    write_text(table / "README.md", card_of(table))
    print_record({"pictures": [str(path) for path in drawn]}, format)


@app.command("info", epilog=INFO_EXAMPLES)
def info_command(
    table: _TableArgument,
    format: FormatOption = Format.auto,
) -> None:
    """Describe a table: sizes, static part against interaction, agreement of recipes, throughput."""
    from hf_crosssight.evaluation.metrics import weighted_tau
    from hf_crosssight.ground_truth.table_location import table_location
    from hf_crosssight.ground_truth.throughput import throughput
    from hf_crosssight.ground_truth.tidy_tables import load_tidy
    from hf_crosssight.ground_truth.variance import agreement

    folder = table_location(table)
    tables = load_tidy(folder)
    described = {name: _described(found) for name, found in tables.items()}
    names = list(tables)
    pairs = {
        f"{first} ~ {second}": found
        for position, first in enumerate(names)
        for second in names[position + 1 :]
        if (found := agreement(tables[first], tables[second], weighted_tau))
    }
    speed = throughput(folder)
    if format.resolve() is Format.json:
        from dataclasses import asdict

        agreements = {name: asdict(found) for name, found in pairs.items()}
        print_record({"tables": described, "weighted_tau_between": agreements, "throughput": speed}, format)
        return
    lines: dict[str, Any] = {
        f"{name}: {what}": value for name, facts in described.items() for what, value in facts.items()
    }
    lines |= {f"weighted tau {name}": f"{tau.mean:.3f} on {tau.datasets} datasets" for name, tau in pairs.items()}
    print_record(lines | {f"throughput: {what}": value for what, value in (speed or {}).items()}, format)


def _described(table: GroundTruthTable) -> dict[str, Any]:
    import numpy as np

    from hf_crosssight.ground_truth.variance import variance_shares

    shares = variance_shares(table)
    parts = (shares.static, shares.interaction, shares.noise) if shares else (None, None, None)
    static, interaction, noise = (None if part is None else round(part, 4) for part in parts)
    return {
        "models": len(table.models),
        "datasets": len(table.datasets),
        "pairs": int(np.isfinite(table.scores).sum()),
        "seeds": 1 if table.repeats is None else int(np.isfinite(table.repeats).sum(-1).max()),
        "self_transfer_pairs": int(table.self_transfer.sum()),
        "static_share": static,
        "interaction_share": interaction,
        "noise_share": noise,
        "models_on_every_dataset": shares.models if shares else None,
    }


@app.command("ceiling", epilog=CEILING_EXAMPLES)
def ceiling_command(
    table: _TableArgument,
    recipe: Annotated[str | None, typer.Option(help="Of a table with several.")] = None,
    seed: Annotated[int, typer.Option(help="Of the halves and the simulation.")] = 0,
    format: FormatOption = Format.auto,
) -> None:
    """The weighted tau that a perfect ranker could reach on each dataset, from how far seeds disagree."""
    from hf_crosssight.evaluation.ceiling import ceilings
    from hf_crosssight.ground_truth.tidy_tables import load_tidy, one_recipe

    chosen = one_recipe(load_tidy(table), recipe)
    found = ceilings(chosen, seed=seed)
    if not found:
        raise UserError(f"{table} has no dataset with five models of two seeds", "A ceiling needs repeated runs.")
    mean = sum(one.with_truth for one in found) / len(found)
    halves = sum(one.between_seeds for one in found) / len(found)
    if format.resolve() is Format.json:
        per_dataset = {one.dataset: {"between_halves": one.between_seeds, "ceiling": one.with_truth} for one in found}
        print_record({"between_halves": halves, "ceiling": mean, "per_dataset": per_dataset}, format)
        return
    lines = {one.dataset: f"{one.with_truth:.3f} (between halves {one.between_seeds:.3f})" for one in found}
    print_record(lines | {f"mean of {len(found)} datasets": f"{mean:.3f} (between halves {halves:.3f})"}, format)


@app.command("score", epilog=SCORE_EXAMPLES)
def score_command(
    reported: Annotated[Path, typer.Option(help="CSV with dataset, model, accuracy (0 to 1), as models report them.")],
    target: Annotated[str, typer.Option(help="Dataset to rank for.")],
    similarity: Annotated[
        Path | None, typer.Option(help="CSV matrix of similarities; by default the thesis' own of 16 datasets.")
    ] = None,
    format: FormatOption = Format.auto,
) -> None:
    """Rank by the thesis' formula: reported accuracy times similarity of datasets. For comparison, not for use."""
    from hf_crosssight.ground_truth.thesis_scores import read_reported, read_similarity, thesis_ranking

    matrix = read_similarity(similarity) if similarity else None
    ranking = thesis_ranking(read_reported(reported), target, matrix)
    if format.resolve() is Format.json:
        rows = [{"rank": rank, "model_id": name, "score": score} for rank, (name, score) in enumerate(ranking, 1)]
        print_record({"target": target, "ranking": rows}, format)
    elif format.resolve() is Format.quiet:
        print("\n".join(name for name, _ in ranking))
    else:
        print_record({name: f"{score:.6f}" for name, score in ranking}, format)
