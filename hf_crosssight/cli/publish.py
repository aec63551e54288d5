"""`hf-crosssight publish ...`: a ranker, a weight encoder, results or the Space as a repository of the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_crosssight.cli.options import DebugOption, FormatOption, TokenOption
from hf_crosssight.cli.output import Format, print_record
from hf_crosssight.cli.quiet import hide_transformers_bars, silence_libraries
from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from hf_crosssight.publishing import Published, Repository

RANKER_EXAMPLES = """Examples:

hf-crosssight publish ranker --to my-org/ranker

hf-crosssight publish ranker ./my_ranker --to my-org/ranker --license mit --evaluation evaluation.json --dry-run

The evaluation is what `hf-crosssight evaluate --format json` prints; its figures go into the card.
"""
ENCODER_EXAMPLES = "Example: hf-crosssight publish encoder ./encoder --to my-org/arch2vec --license apache-2.0"
GROUND_TRUTH_EXAMPLES = "Example: hf-crosssight publish ground-truth ./table --to my-org/results --license cc-by-4.0"
SPACE_EXAMPLES = """Examples:

hf-crosssight publish space --to my-org/which-model

hf-crosssight publish space --folder ./space
"""

app = typer.Typer(
    name="publish",
    help="Publish a ranker, a weight encoder, fine-tuning results or the Space; indexes: `zoo push`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_To = Annotated[str | None, typer.Option(metavar="ID", help="Repository org/name; made if there is none.")]
_Folder = Annotated[
    Path | None, typer.Option(metavar="OUT", help="Write the repository here; without --to nothing is uploaded.")
]
_Licence = Annotated[
    str | None, typer.Option(metavar="L", help="Hub identifier such as mit; by default what its card says.")
]
_Private = Annotated[bool, typer.Option("--private", help="Of a repository that is made.")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]


@app.command("ranker", epilog=RANKER_EXAMPLES)
def ranker_command(
    ranker: Annotated[str, typer.Argument(metavar="[RANKER]", help="bundled | folder of a ranker.")] = "bundled",
    to: _To = None,
    folder: _Folder = None,
    license: _Licence = None,
    evaluation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON of `evaluate`; by default the ranker's evaluation.json.")
    ] = None,
    private: _Private = False,
    dry_run: _DryRun = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "A ranker",
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Publish a ranker with its code and card: it loads where hf_crosssight is not installed, too."""
    _quietly(debug, to, folder)
    hide_transformers_bars()
    from hf_crosssight.publishing.ranker import ranker_repository

    repository = ranker_repository(ranker, _named(to, folder), license=license, evaluation=evaluation)
    _publish(repository, to, folder, private, dry_run, message, token, format)


@app.command("encoder", epilog=ENCODER_EXAMPLES)
def encoder_command(
    encoder: Annotated[Path, typer.Argument(metavar="ENCODER", help="Folder that `train encoder` wrote.")],
    to: _To = None,
    folder: _Folder = None,
    license: _Licence = None,
    private: _Private = False,
    dry_run: _DryRun = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "A weight encoder",
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Publish a weight encoder with its code, curves and card; `zoo build --encoder ID` uses it from there."""
    _quietly(debug, to, folder)
    hide_transformers_bars()
    from hf_crosssight.publishing.encoder import encoder_repository

    repository = encoder_repository(encoder, _named(to, folder), license=license)
    _publish(repository, to, folder, private, dry_run, message, token, format)


@app.command("ground-truth", epilog=GROUND_TRUTH_EXAMPLES)
def ground_truth_command(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Folder of `collect`, or CSV or Parquet files.")],
    to: _To = None,
    folder: _Folder = None,
    license: _Licence = None,
    hardware: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Table of `hardware measure --out`: becomes a configuration.")
    ] = None,
    private: _Private = False,
    dry_run: _DryRun = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "Fine-tuning results",
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Publish fine-tuning results as a dataset, one configuration a recipe; `load_dataset(ID, RECIPE)` reads them."""
    _quietly(debug, to, folder)
    from hf_crosssight.publishing.ground_truth import ground_truth_repository

    repository = ground_truth_repository(table, _named(to, folder), license=license, hardware=hardware)
    _publish(repository, to, folder, private, dry_run, message, token, format)


@app.command("space", epilog=SPACE_EXAMPLES)
def space_command(
    to: _To = None,
    folder: _Folder = None,
    wheel: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Wheel of hf_crosssight; by default made from the checkout.")
    ] = None,
    dry_run: _DryRun = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "The Space",
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Publish the web page as a Space that installs this very version and torch's CPU build."""
    _quietly(debug, to, folder)
    from hf_crosssight.publishing.space import space_repository

    _publish(space_repository(to, wheel=wheel), to, folder, False, dry_run, message, token, format)


def print_published(published: Published, files: int, format: Format, folder: Path | None = None) -> None:
    """Prints what was done, or would be; `files` is their number in the repository."""
    changes = published.changes
    as_list = format.resolve() is Format.json
    names = {"added": changes.added, "changed": changes.changed, "removed": changes.removed}
    listed: dict[str, Any] = {
        key: list(value) if as_list else ", ".join(value) or "nothing" for key, value in names.items()
    }
    record = {
        "id": published.id, "revision": published.revision, "url": published.url, "created": published.created,
        "committed": published.committed, **listed, "files": files, "bytes": changes.bytes,
    }  # fmt: skip
    print_record(record | ({"folder": str(folder)} if folder else {}), format)


def _quietly(debug: bool, to: str | None, folder: Path | None) -> None:
    if to is None and folder is None:
        raise UserError(
            "nowhere to publish to", "Name a repository with --to org/name, a folder with --folder, or both."
        )
    if not debug:
        silence_libraries()


def _named(to: str | None, folder: Path | None) -> str:
    """What the card calls the repository: its id, or the folder it is written to."""
    return to or str(folder)


def _publish(
    repository: Repository, to: str | None, folder: Path | None, private: bool, dry_run: bool, message: str,
    token: str | None, format: Format,
) -> None:  # fmt: skip
    """To the folder, to the Hub, or both; the result on stdout."""
    from hf_crosssight.cli.progress import ProgressLine
    from hf_crosssight.publishing import publish, write_folder

    if folder is not None and not dry_run:
        write_folder(repository, folder)
    if to is None:
        listed: Any = sorted(repository.files)
        listed = listed if format.resolve() is Format.json else ", ".join(listed)
        print_record({"folder": str(folder), "files": listed, "bytes": repository.bytes}, format)
        return
    progress = ProgressLine()
    try:
        published = publish(
            repository, to, message=message, private=private, token=token, dry_run=dry_run, progress=progress
        )
    finally:
        progress.close()
    print_published(published, len(repository.files), format, folder)
