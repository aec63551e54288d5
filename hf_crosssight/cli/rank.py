"""`hf-crosssight rank`: the main job on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hf_crosssight.cli.options import DebugOption, FormatOption, OfflineOption, TokenOption
from hf_crosssight.cli.output import Format, print_ranking

EXAMPLES = """Examples:

hf-crosssight rank --dataset digits --offline

hf-crosssight rank --dataset cifar10 --license mit --max-params 30M

hf-crosssight rank --dataset ./photos --zoo ./models --format csv

hf-crosssight rank --dataset ./photos --zoo ./models --refine 10

hf-crosssight rank --dataset digits --device raspberry-pi-5 --max-latency-ms 200 --prefer latency_ms=0.07 --pareto
"""


def rank_command(
    dataset: Annotated[
        str,
        typer.Option(
            help="Hub id | folder of class folders | Hub-layout or save_to_disk folder | digits",
        ),
    ],
    config: Annotated[str | None, typer.Option(help="Configuration of the dataset.")] = None,
    split: Annotated[str | None, typer.Option(help="Split to sample; train where there is one.")] = None,
    revision: Annotated[str | None, typer.Option(help="Commit, branch or tag of the dataset.")] = None,
    image_column: Annotated[str | None, typer.Option(help="Inferred where unambiguous.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Inferred where unambiguous.")] = None,
    images_per_class: Annotated[int, typer.Option(help="Images sampled per class.")] = 10,
    max_classes: Annotated[int, typer.Option(help="Classes sampled at the most.")] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 0,
    zoo: Annotated[
        str, typer.Option(help="starter | index folder | Hub id of an index | folder of model repositories")
    ] = "starter",
    filter: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Task, library or Hub tag; repeat: all must hold.")
    ] = None,
    license: Annotated[list[str] | None, typer.Option(metavar="L", help="Repeat: any may hold.")] = None,
    min_params: Annotated[str | None, typer.Option(metavar="SIZE", help="For example 1M.")] = None,
    max_params: Annotated[str | None, typer.Option(metavar="SIZE", help="For example 30M.")] = None,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Where models shall run: of `hardware list` | local | FILE.json."),
    ] = None,
    max_latency_ms: Annotated[
        str | None, typer.Option(metavar="X", help="Milliseconds an image, at the most.")
    ] = None,
    max_memory_mb: Annotated[str | None, typer.Option(metavar="X", help="MiB of a pass, at the most.")] = None,
    max_energy_j: Annotated[str | None, typer.Option(metavar="X", help="Joules an image, at the most.")] = None,
    prefer: Annotated[
        list[str] | None,
        typer.Option(metavar="METRIC=WEIGHT", help="Repeat: costs that count beside accuracy, as latency_ms=0.07."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="shadow (merge two rankings) | fusion (a ranker that reads the device).")
    ] = None,
    merge: Annotated[str | None, typer.Option(help="How Shadow merges: product | thesis | copeland.")] = None,
    phase: Annotated[str | None, typer.Option(help="Costs of: infer | train, a whole training step.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Images a pass; 1 on processors, 256 on GPUs by default, as measured.")
    ] = None,
    pareto: Annotated[bool, typer.Option("--pareto", help="Also the front of score against cost, and a PNG.")] = False,
    pareto_png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the PNG goes; implies --pareto.  [default: pareto.png]")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Repeat: rank just these (ID@REVISION works).")
    ] = None,
    ranker: Annotated[str, typer.Option(help="bundled | folder | Hub id")] = "bundled",
    ranker_revision: Annotated[str | None, typer.Option(help="Commit, branch or tag of the ranker.")] = None,
    refine: Annotated[
        int | None, typer.Option(metavar="K", help="Run the best K on the images; what they show moves them.")
    ] = None,
    refine_rule: Annotated[
        str, typer.Option(help="evidence | model_spider (the K change places among themselves only).")
    ] = "evidence",
    refine_from: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Folder of models to run from, before the Hub.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many to show, 0 for all.")] = 10,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Rank the models of a zoo by how well they should do on your dataset after fine-tuning."""
    from hf_crosssight.cli.progress import ProgressLine
    from hf_crosssight.cli.quiet import silence_libraries

    if not debug:
        silence_libraries()
    from hf_crosssight.ranking import rank

    progress = ProgressLine()
    try:
        ranking = rank(
            dataset, config=config, split=split, revision=revision, image_column=image_column,
            label_column=label_column, images_per_class=images_per_class, max_classes=max_classes, seed=seed,
            zoo=zoo, filter=filter or (), license=license or (), min_params=min_params, max_params=max_params,
            models=model, ranker=ranker, ranker_revision=ranker_revision, top=top, offline=offline, token=token,
            progress=progress,
            device=device, max_latency_ms=max_latency_ms, max_memory_mb=max_memory_mb, max_energy_j=max_energy_j,
            prefer=prefer, method=method, merge=merge, phase=phase, batch_size=batch_size,
            pareto=pareto or pareto_png is not None,
            refine=refine, refine_rule=refine_rule, refine_from=refine_from,
        )  # fmt: skip
        if ranking.pareto:
            from hf_crosssight.hardware.pareto import draw

            draw(ranking.pareto, pareto_png or Path("pareto.png"))
    finally:
        progress.close()
    print_ranking(ranking, format)
