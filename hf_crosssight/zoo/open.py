"""`open_zoo`: the models to rank, whatever the user named: the bundled zoo, an index, a folder of models, or ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hf_crosssight.errors import HubError, UserError
from hf_crosssight.hub.client import HubClient
from hf_crosssight.hub.ids import split_revision
from hf_crosssight.zoo.index import ZooIndex, is_index

Progress = Callable[[str, int, int | None], None]

NAMED = "named models"  # what a zoo is called once a model that it does not hold was named
STARTER = Path(__file__).parents[1] / "assets" / "starter_zoo"


def open_zoo(
    spec: str | Path = "starter",
    *,
    client: HubClient | None = None,
    models: Sequence[str] | None = None,
    views: Sequence[str] = (),
    progress: Progress | None = None,
) -> ZooIndex:
    """The zoo that `spec` names, or just the named models of it.

    Args:
        spec (`str` or `Path`, defaults to `starter`): `starter` (bundled), an index folder, a folder of model
            repositories, or the Hub id (`ID` or `ID@REVISION`) of a dataset repository that holds an index.
        client (`HubClient`, *optional*): the way to the Hub; made with its defaults where it is needed.
        models (*optional*): ids; those that the zoo has are taken from it, the others are read from the Hub, and the
            zoo is then called `named models`.
        views (*optional*): views that will be read; of a folder of models, weights and probe are made for those who
            ask for them alone, since they read all weights and run the models.
        progress (*optional*): called as `progress(step, done, total)`.

    Raises:
        UserError: there is no such zoo, or it cannot be read.
        HubError: the Hub or the network is at fault.
    """
    zoo = _open(spec, client, views, progress)
    return _just(zoo, list(dict.fromkeys(models)), client, progress) if models else zoo


def _open(
    spec: str | Path, client: HubClient | None, views: Sequence[str], progress: Progress | None
) -> ZooIndex:  # fmt: skip
    if str(spec) == "starter":
        return ZooIndex.open(STARTER, id="starter")
    if is_index(spec) or (Path(spec) / "index.json").is_file():
        return ZooIndex.open(spec)
    if Path(spec).is_dir():
        from hf_crosssight.zoo.folder_views import folder_zoo

        return folder_zoo(spec, views, progress=progress)
    if isinstance(spec, Path) or Path(spec).exists() or spec.startswith((".", "/", "~")):
        raise UserError(f"There is no folder {spec}.", "Name a zoo folder, an index folder, a Hub id or `starter`.")
    return _from_hub(spec, client or HubClient())


def _from_hub(spec: str, client: HubClient) -> ZooIndex:
    """An index that stands in a dataset repository; its files are fetched whole, so that they can be mapped."""
    try:
        repo = client.resolve(spec, "dataset")
    except UserError as error:
        raise _no_zoo(spec, error) from error
    except HubError as error:
        what = f'There is no folder "{spec}" to take as a zoo, and on the Hub: {error.what}'
        raise HubError(what, error.hint) from error
    if "index.json" not in repo:
        raise UserError(f"{spec} on the Hub is not a zoo index (no index.json).", "An index is a dataset repository.")
    folder = client.snapshot(repo, ["index.json", "skipped.json", "*.parquet", "*.safetensors"])
    return ZooIndex.open(folder, id=spec)


def _no_zoo(spec: str, error: UserError) -> UserError:
    """What is wrong with a name that is no folder and no data set of the Hub that can be read."""
    from huggingface_hub import errors

    if isinstance(error.__cause__, errors.GatedRepoError | errors.DisabledRepoError):
        return error
    what = f'There is no zoo "{spec}": it is no folder, and on the Hub: {error.what}'
    return UserError(what, "Name `starter`, a folder of models, an index folder or the Hub id of an index.")


def _just(zoo: ZooIndex, models: list[str], client: HubClient | None, progress: Progress | None) -> ZooIndex:
    """The named models in this order: the zoo's own where it has them, the Hub's where not or at another revision."""
    rows = {model_id: row for row, model_id in enumerate(zoo.model_ids)}
    missing = [name for name in models if not _held(zoo, rows, name)]
    if not missing:
        return zoo.take([rows[split_revision(name)[0]] for name in models])
    from hf_crosssight.zoo.hub_models import read_hub_models

    read = read_hub_models(missing, client or HubClient(), id=NAMED, progress=progress)
    kept = [rows[split_revision(name)[0]] for name in models if name not in missing]
    both = zoo.take(kept).joined(read)
    order = {name: place for place, name in enumerate([*(n for n in models if n not in missing), *missing])}
    both.id = NAMED
    return both.take([order[name] for name in models])


def _held(zoo: ZooIndex, rows: dict[str, int], name: str) -> bool:
    """Whether the zoo has the model, at the revision that is asked for if one is."""
    model_id, revision = split_revision(name)
    if model_id not in rows:
        return False
    return revision is None or zoo.record(rows[model_id]).revision == revision
