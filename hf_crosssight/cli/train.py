"""`hf-crosssight train ...`: train what makes tokens and rankings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hf_crosssight.cli.options import DebugOption, FormatOption, OfflineOption, TokenOption
from hf_crosssight.cli.output import Format, print_record
from hf_crosssight.errors import UserError

ENCODER_EXAMPLES = """Examples:

hf-crosssight train encoder --zoo ./models --out ./encoder

hf-crosssight train encoder --zoo ./models --out ./thesis-encoder --preset thesis --epochs 10

hf-crosssight train encoder --zoo ./models --out ./encoder --resume

A zoo is a folder of model repositories; the default preset also learns from a zoo index with a weights view. The
folder then holds the encoder, curves.csv and .png, clusters.png and .json with the silhouettes, and training.json.
"""
RANKER_EXAMPLES = """Examples:

hf-crosssight train ranker --zoo ./models --ground-truth ./table --datasets ./datasets --out ./ranker

hf-crosssight train ranker --zoo ./index --ground-truth full.csv --datasets ./datasets --validation-datasets usps
--validation-datasets flowers --seeds 3 --out ./ranker

hf-crosssight train ranker --zoo ./models --ground-truth ./table --datasets ./datasets --out ./ranker --resume

torchrun --nproc_per_node 2 -m hf_crosssight train ranker ... trains in several processes. Then:
hf-crosssight rank --dataset ./photos --zoo ./models --ranker ./ranker
"""
PRESETS = ("default", "thesis")

app = typer.Typer(
    name="train",
    help="Train a ranker, or what makes tokens of models: the weight encoder.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root() -> None:
    """Train a ranker, or what makes tokens of models: the weight encoder."""


@app.command("encoder", epilog=ENCODER_EXAMPLES)
def encoder_command(
    zoo: Annotated[str, typer.Option(help="Folder of model repositories | index folder | Hub id of an index.")],
    out: Annotated[Path, typer.Option(help="Folder of the encoder; a new one, unless with --resume.")],
    preset: Annotated[str, typer.Option(help="default (tensor tokens) | thesis (autoencoder of chunks).")] = "default",
    epochs: Annotated[int | None, typer.Option(help="Over models or chunks; 20, or 10 with thesis.")] = None,
    batch: Annotated[int, typer.Option(help="Models in an update; of chunks eight times as many.")] = 32,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3,
    validation: Annotated[float, typer.Option(help="Share of models held out, whole lineages.")] = 0.2,
    byte_budget: Annotated[str, typer.Option(help="Bytes to read of a model: 1MiB, 8MiB, 64MiB, 32MB ...")] = "8MiB",
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0 for all; 1 makes results repeatable.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in --out.")] = False,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Train the encoder that turns a model's weights into tokens; killed, it goes on where the last epoch ended."""
    from hf_crosssight.cli.progress import ProgressLine

    _check(preset, epochs, batch, lr, validation)
    _begin(threads, debug)
    from hf_crosssight.hub.client import HubClient
    from hf_crosssight.models import Arch2VecConfig
    from hf_crosssight.tokens.byte_budget import parse_bytes
    from hf_crosssight.training.encoder_folder import train_encoder_folder
    from hf_crosssight.training.encoder_trainer import EncoderRecipe

    recipe = EncoderRecipe(
        epochs=epochs or (20 if preset == "default" else 10), batch=batch, learning_rate=lr, validation=validation,
        seed=seed,
    )  # fmt: skip
    progress = ProgressLine()
    try:
        record = train_encoder_folder(
            zoo, out, Arch2VecConfig.from_preset(preset), recipe, budget=parse_bytes(byte_budget), resume=resume,
            client=HubClient(offline=offline, token=token), progress=progress,
        )  # fmt: skip
    finally:
        progress.close()
    _tell(record, out, ("held_out_models", "recipe"), format)


@app.command("ranker", epilog=RANKER_EXAMPLES)
def ranker_command(
    zoo: Annotated[str, typer.Option(help="Folder of model repositories | index folder | Hub id of an index.")],
    ground_truth: Annotated[list[Path], typer.Option(help="Table: model_id, dataset_id, seed, accuracy; repeat.")],
    datasets: Annotated[list[str], typer.Option(help="Folder that holds the datasets | Hub id; repeat.")],
    out: Annotated[Path, typer.Option(help="Folder of the ranker; a new one, unless with --resume.")],
    validation_datasets: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="To stop and choose on; a fifth of all by default; repeat.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings, of which the best is kept.")] = 3,
    steps: Annotated[int, typer.Option(help="Updates of each at the most.")] = 600,
    batch: Annotated[int, typer.Option(help="Tasks in an update.")] = 8,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3,
    seed: Annotated[int, typer.Option(help="Of everything drawn, and of the first training.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads, 0 for all; 1 makes results repeatable.")] = 1,
    precision: Annotated[str | None, typer.Option(help="no | bf16 | fp16.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in --out.")] = False,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Train a ranker on measured results; killed, it goes on where it last validated."""
    from hf_crosssight.cli.progress import ProgressLine

    _check_ranker(seeds, steps, batch, lr, precision)
    _begin(threads, debug)
    from hf_crosssight.hub.client import HubClient
    from hf_crosssight.training.ranker_folder import RankerRequest, train_ranker_folder
    from hf_crosssight.training.recipe import RankerRecipe

    request = RankerRequest(zoo, tuple(ground_truth), tuple(datasets), tuple(validation_datasets or ()), seeds)
    recipe = RankerRecipe(steps=steps, batch=batch, learning_rate=lr, seed=seed, mixed_precision=precision)
    progress = ProgressLine()
    try:
        record = train_ranker_folder(
            request, out, recipe, resume=resume, client=HubClient(offline=offline, token=token), offline=offline,
            progress=progress,
        )  # fmt: skip
    finally:
        progress.close()
    _tell(record, out, ("recipe", "tables"), format)


def _tell(record: dict[str, Any], out: Path, hidden: tuple[str, ...], format: Format) -> None:
    """Prints what a training wrote, but for the longest fields; of several processes one does."""
    from hf_crosssight.ground_truth.training_loop import is_main_process

    if is_main_process():
        print_record({"folder": str(out), **{name: record[name] for name in record if name not in hidden}}, format)


def _begin(threads: int, debug: bool) -> None:
    """Quiet libraries unless they are to be heard, and so many threads of torch, 0 for its own choice."""
    from hf_crosssight.cli.quiet import hide_transformers_bars, silence_libraries

    if not debug:
        silence_libraries()
        hide_transformers_bars()
    import torch

    if threads:
        torch.set_num_threads(threads)


def _check_ranker(seeds: int, steps: int, batch: int, lr: float, precision: str | None) -> None:
    """Raises `UserError` for values that no training can have."""
    for name, value, least in (("seeds", seeds, 1), ("steps", steps, 10), ("batch", batch, 1)):
        if value < least:
            raise UserError(f"--{name} is {value}", f"It must be at least {least}.")
    if not lr > 0:
        raise UserError(f"--lr is {lr}", "It must be positive, 0.002 for example.")
    if precision not in (None, "no", "bf16", "fp16"):
        raise UserError(f"--precision is {precision!r}", "Take no, bf16 or fp16.")


def _check(preset: str, epochs: int | None, batch: int, lr: float, validation: float) -> None:
    """Raises `UserError` for values that no training can have."""
    if preset not in PRESETS:
        raise UserError(f"--preset is {preset!r}", f"Take {' or '.join(PRESETS)}.")
    if (epochs is not None and epochs < 1) or batch < 2:
        raise UserError("--epochs must be at least 1 and --batch at least 2", "Leave them out for the usual ones.")
    if not lr > 0:
        raise UserError(f"--lr is {lr}", "It must be positive, 0.001 for example.")
    if not 0 <= validation <= 0.5:
        raise UserError(f"--validation is {validation}", "Hold out at most a half: 0 to 0.5.")
