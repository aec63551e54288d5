"""`hf-crosssight zoo ...`: build an index of models, look at it, let it grow, bring it up to date, publish it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hf_crosssight.cli.options import DebugOption, FormatOption, OfflineOption, TokenOption
from hf_crosssight.cli.output import Format
from hf_crosssight.cli.zoo_pages import LIST_COLUMNS, SpeedLine, print_counts, print_models, print_report
from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from hf_crosssight.hub import HubClient
    from hf_crosssight.zoo.assemble import WeightEncoder
    from hf_crosssight.zoo.model_source import ModelSource

BUILD_EXAMPLES = """Examples:

hf-crosssight zoo build google/vit-base-patch16-224 timm/resnet50.a1_in1k --out ./zoo

hf-crosssight zoo build --from ./models --out ./zoo --views structure,weights

hf-crosssight zoo build --filter image-classification --sort downloads --limit 500 --out ./zoo

Run the same command again to go on after an interruption.
"""
INFO_EXAMPLES = "Example: hf-crosssight zoo info ./zoo"
LIST_EXAMPLES = "Example: hf-crosssight zoo list ./zoo --license apache-2.0 --max-params 30M --format csv"
ADD_EXAMPLES = "Example: hf-crosssight zoo add ./zoo microsoft/resnet-18 timm/vit_tiny_patch16_224.augreg_in21k@main"
UPGRADE_EXAMPLES = """Examples:

hf-crosssight zoo upgrade ./zoo

hf-crosssight zoo upgrade ./zoo --views probe --from ./models
"""
PUSH_EXAMPLES = "Example: hf-crosssight zoo push ./zoo --to my-org/my-zoo --private"

app = typer.Typer(
    name="zoo",
    help="Indexes of models to rank: build, look at, extend, upgrade, publish.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ORDERS = ("downloads", "likes", "createdAt", "lastModified", "trendingScore")
_Index = Annotated[Path, typer.Argument(metavar="INDEX", help="Folder of the index.")]
_AnyIndex = Annotated[str, typer.Argument(metavar="INDEX", help="Index folder | Hub id | starter | folder of models.")]
_Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Hub ids; ID@REVISION pins one.")]
_From = Annotated[
    Path | None, typer.Option("--from", metavar="FOLDER", help="Folder of model repositories: name/ or org/name/.")
]
_Filter = Annotated[list[str] | None, typer.Option(metavar="TAG", help="Hub listing: task, library or tag; repeat.")]
_Search = Annotated[str | None, typer.Option(metavar="S", help="Hub listing: words in the id.")]
_Sort = Annotated[str, typer.Option(help=f"Hub listing: {' | '.join(_ORDERS)}.")]
_Limit = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Hub listing: so many at the most; 100 by default.")
]
_Views = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Of structure, card, weights, probe, lineage; by default all that can be made."),
]
_Budget = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Bytes of weights to read of each model; 8MiB by default.")
]
_Encoder = Annotated[
    str | None, typer.Option(metavar="E", help="Folder or Hub id of a weight encoder: adds the arch2vec view.")
]
_ProbeLimit = Annotated[str, typer.Option(metavar="SIZE", help="Larger models are not run for the probe view.")]
_Workers = Annotated[int, typer.Option(min=1, max=64, help="Models read at once.")]

_LISTED = 100


@app.command("build", epilog=BUILD_EXAMPLES)
def build_command(
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the index; an interrupted or older one is gone on with, and then holds what is named now."
        ),
    ],
    ids: _Ids = None,
    folder: _From = None,
    filter: _Filter = None,
    search: _Search = None,
    sort: _Sort = "downloads",
    limit: _Limit = None,
    views: _Views = None,
    byte_budget: _Budget = None,
    encoder: _Encoder = None,
    probe_limit: _ProbeLimit = "400MB",
    workers: _Workers = 8,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a build; this is always done.")] = False,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Build an index from models of the Hub or of a folder; what cannot be used is told and left out."""
    progress = _quietly(debug)
    from hf_crosssight.tokens.byte_budget import DEFAULT_BUDGET, parse_bytes
    from hf_crosssight.zoo.build import build_zoo
    from hf_crosssight.zoo.model_views import ViewPlan

    client = _client(token, offline)
    plan = ViewPlan((), parse_bytes(byte_budget) if byte_budget else DEFAULT_BUDGET, parse_bytes(probe_limit))
    try:
        source = _source(client, ids, folder, filter, search, sort, limit, progress)
        report = build_zoo(
            source, _not_a_file(out), views=_names(views), plan=plan, encoder=_encoder(encoder, client),
            workers=workers, progress=progress, told=progress.watch,
        )  # fmt: skip
    finally:
        progress.close()
    print_report(report, "read", format)


@app.command("add", epilog=ADD_EXAMPLES)
def add_command(
    index: _Index,
    ids: _Ids = None,
    folder: _From = None,
    filter: _Filter = None,
    search: _Search = None,
    sort: _Sort = "downloads",
    limit: _Limit = None,
    encoder: _Encoder = None,
    probe_limit: _ProbeLimit = "400MB",
    workers: _Workers = 8,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Add models to an index: those that it holds at this commit stay, a newer commit takes an older one's place."""
    progress = _quietly(debug)
    from hf_crosssight.tokens.byte_budget import parse_bytes
    from hf_crosssight.zoo.grow import add_models

    client = _client(token, offline)
    try:
        report = add_models(
            index, _source(client, ids, folder, filter, search, sort, limit, progress),
            encoder=_encoder(encoder, client), largest_probed=parse_bytes(probe_limit), workers=workers,
            progress=progress, told=progress.watch,
        )  # fmt: skip
    finally:
        progress.close()
    print_report(report, "added", format)


@app.command("upgrade", epilog=UPGRADE_EXAMPLES)
def upgrade_command(
    index: _Index,
    views: _Views = None,
    folder: _From = None,
    byte_budget: _Budget = None,
    encoder: _Encoder = None,
    probe_limit: _ProbeLimit = "400MB",
    workers: _Workers = 8,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Make again what a new specification changed, and the views that are named where models lack them."""
    progress = _quietly(debug)
    from hf_crosssight.tokens.byte_budget import parse_bytes
    from hf_crosssight.zoo.model_source import FolderSource, HubSource
    from hf_crosssight.zoo.upgrade import upgrade_zoo

    client = _client(token, offline)

    def source_of(names: Sequence[str]) -> ModelSource:
        return HubSource(client, tuple(names)) if folder is None else FolderSource(folder, tuple(names))

    try:
        report = upgrade_zoo(
            index, source_of, views=_names(views), byte_budget=parse_bytes(byte_budget) if byte_budget else None,
            encoder=_encoder(encoder, client), largest_probed=parse_bytes(probe_limit), workers=workers,
            progress=progress, told=progress.watch,
        )  # fmt: skip
    finally:
        progress.close()
    print_report(report, "upgraded", format)


@app.command("info", epilog=INFO_EXAMPLES)
def info_command(
    index: _AnyIndex,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Count what an index holds: families, licences, libraries, views, size, what was left out and why."""
    progress = _quietly(debug)
    from hf_crosssight.zoo.describe import describe
    from hf_crosssight.zoo.open import open_zoo

    try:
        zoo = open_zoo(index, client=_client(token, offline), progress=progress)
    finally:
        progress.close()
    print_counts(describe(zoo, zoo.folder), format)


@app.command("list", epilog=LIST_EXAMPLES)
def list_command(
    index: _AnyIndex,
    filter: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Task, library or Hub tag; repeat: all must hold.")
    ] = None,
    license: Annotated[list[str] | None, typer.Option(metavar="L", help="Repeat: any may hold.")] = None,
    min_params: Annotated[str | None, typer.Option(metavar="SIZE", help="For example 1M.")] = None,
    max_params: Annotated[str | None, typer.Option(metavar="SIZE", help="For example 30M.")] = None,
    offline: OfflineOption = False,
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """List the models of an index, or those that satisfy the same filters as `rank` knows."""
    progress = _quietly(debug)
    from hf_crosssight.zoo import Constraints, open_zoo, parse_size, select

    try:
        zoo = open_zoo(index, client=_client(token, offline), progress=progress)
    finally:
        progress.close()
    constraints = Constraints(
        filter=tuple(filter or ()),
        license=tuple(license or ()),
        min_params=parse_size(min_params, "--min-params") if min_params else None,
        max_params=parse_size(max_params, "--max-params") if max_params else None,
    )
    selection = select(zoo, constraints)
    chosen = zoo.take(selection.indices)
    columns = [name for name in LIST_COLUMNS if name != "views"]
    rows: list[dict[str, Any]] = chosen.table.select(columns).to_pylist()
    for number, row in enumerate(rows):
        row["views"] = [name for name, mask in chosen.view_mask.items() if mask[number]]
    print_models(zoo.id, rows, selection.rejected, format)


@app.command("push", epilog=PUSH_EXAMPLES)
def push_command(
    index: _Index,
    to: Annotated[str, typer.Option(metavar="ID", help="Dataset repository org/name; made if there is none.")],
    private: Annotated[bool, typer.Option("--private", help="Of a repository that is made.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    message: Annotated[str, typer.Option(help="Of the commit.")] = "A zoo index",
    token: TokenOption = None,
    format: FormatOption = Format.auto,
    debug: DebugOption = False,
) -> None:
    """Publish an index as a dataset repository of the Hub, with a card; `rank --zoo ID` reads it from there."""
    progress = _quietly(debug)
    from hf_crosssight.cli.publish import print_published
    from hf_crosssight.publishing import publish
    from hf_crosssight.publishing.zoo_index import zoo_repository

    try:
        repository = zoo_repository(index, to)
        published = publish(
            repository, to, message=message, private=private, token=token, dry_run=dry_run, progress=progress
        )
    finally:
        progress.close()
    print_published(published, len(repository.files), format)


def _quietly(debug: bool) -> SpeedLine:
    from hf_crosssight.cli.quiet import silence_libraries

    if not debug:
        silence_libraries()
    return SpeedLine()


def _client(token: str | None, offline: bool) -> HubClient:
    from hf_crosssight.hub import HubClient

    return HubClient(token=token, offline=offline)


def _source(
    client: HubClient, ids: list[str] | None, folder: Path | None, filter: list[str] | None, search: str | None,
    sort: str, limit: int | None, progress: SpeedLine,
) -> ModelSource:  # fmt: skip
    """The models that were named, in one of the three ways."""
    from hf_crosssight.hub.ids import split_revision
    from hf_crosssight.zoo.model_source import FolderSource, HubSource

    listed = bool(filter or search or limit is not None)
    ways = sum((bool(ids), folder is not None, listed))
    if ways != 1:
        what = "No models are named." if not ways else "Models are named in more than one way."
        raise UserError(what, "Give ids, or --from FOLDER, or a listing with --filter, --search, --limit.")
    if folder is not None:
        if not folder.is_dir():
            raise UserError(f"There is no folder {folder}.", "A folder of models holds name/ or org/name/.")
        return FolderSource(folder)
    if ids:
        for name in ids:
            split_revision(name)
        return HubSource(client, tuple(ids))
    if sort not in _ORDERS:
        raise UserError(f"--sort is {sort!r}.", f"Take one of {', '.join(_ORDERS)}.")
    progress("listing models", 0, None)
    found = client.list_models(filters=filter or (), search=search, sort=sort, limit=limit or _LISTED)
    return HubSource(client, tuple(found))


def _not_a_file(out: Path) -> Path:
    """The folder to write; a folder that holds something else is not filled with an index."""
    from hf_crosssight.zoo.index import is_index
    from hf_crosssight.zoo.stages import FOLDER, LOCK

    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file.", "Name a folder for --out.")
    names = [path.name for path in out.iterdir()] if out.is_dir() else []
    if names and not is_index(out) and not {FOLDER, LOCK} & set(names):
        raise UserError(f"{out} holds other files ({names[0]}, ...).", "Name an empty or a new folder for --out.")
    return out


def _names(views: str | None) -> tuple[str, ...] | None:
    return None if views is None else tuple(name.strip().lower() for name in views.split(",") if name.strip())


def _encoder(name: str | None, client: HubClient) -> WeightEncoder | None:
    if name is None:
        return None
    from hf_crosssight.zoo.weight_encoder import load_weight_encoder

    return load_weight_encoder(name, client)
