"""Where a ranker comes from: bundled with the package, a folder, or a repository of the Hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.errors import UserError
from hf_crosssight.hub import HubClient, split_revision

if TYPE_CHECKING:
    from hf_crosssight.models import CrossSightModel

BUNDLED_FOLDER = Path(__file__).parent / "assets" / "ranker"
BUNDLED_ID = "crosssight/ranker"
MODEL_TYPE = "crosssight"


@dataclass(frozen=True)
class LoadedRanker:
    """A ranker in memory and where it came from (`source` is `bundled`, `hub`, `folder` or `memory`)."""

    model: CrossSightModel
    id: str
    source: str
    revision: str | None

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that it reads."""
        return tuple(self.model.config.read_views)

    def load(self) -> LoadedRanker:
        return self

    def describe(self) -> dict[str, Any]:
        """The `ranker` part of a ranking's JSON."""
        return {"id": self.id, "source": self.source, "revision": self.revision}


@dataclass(frozen=True)
class RankerFiles:
    """A ranker that was found, and whose configuration says that it is one; loading it imports torch."""

    folder: Path
    id: str
    source: str
    revision: str | None

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that it reads; of a configuration that names none, none."""
        config = json.loads((self.folder / "config.json").read_text(encoding="utf-8"))
        shapes = [config.get(name) for name in ("view_shapes", "forest_views")]
        return tuple(dict.fromkeys(name for own in shapes if isinstance(own, dict) for name in own))

    def load(self) -> LoadedRanker:
        """Raises `UserError` if the files are damaged."""
        return LoadedRanker(_load(self.folder, self.id), self.id, self.source, self.revision)


@dataclass(frozen=True)
class HeldRanker:
    """A ranker that the caller holds in memory."""

    model: CrossSightModel

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that it reads."""
        return tuple(self.model.config.read_views)

    def load(self) -> LoadedRanker:
        return LoadedRanker(self.model.eval(), self.model.config.name_or_path or "in-memory", "memory", None)


def bundled_ranker() -> CrossSightModel:
    """The ranker that ships with the package, in evaluation mode; no network is used."""
    return find_ranker("bundled", client=HubClient(offline=True)).load().model


def find_ranker(
    spec: str | Path | CrossSightModel | LoadedRanker, *, revision: str | None = None, client: HubClient
) -> RankerFiles | HeldRanker | LoadedRanker:
    """Finds a ranker, before anything slow is done with it.

    Args:
        spec (`str`, `Path`, `CrossSightModel` or `LoadedRanker`): `bundled`, a folder, a Hub id (`ID@REVISION` too), a
            model, or what an earlier call loaded.
        revision (`str`, *optional*): commit, branch or tag of a Hub id.
        client (`HubClient`): the door to the Hub.

    Raises:
        UserError: no such folder or repository, or it holds a model that is no ranker.
    """
    if isinstance(spec, LoadedRanker):
        return spec
    if not isinstance(spec, (str, Path)):
        return HeldRanker(spec)
    local = str(spec) == "bundled" or isinstance(spec, Path) or Path(spec).is_dir() or str(spec)[:1] in "./~"
    if local and revision is not None:
        raise UserError(f"the ranker '{spec}' is not on the Hub and has no revision '{revision}'", "leave it out")
    if str(spec) == "bundled":
        return _in_folder(BUNDLED_FOLDER, BUNDLED_ID, "bundled")
    if local:
        return _in_folder(Path(spec).expanduser(), str(spec), "folder")
    return _on_hub(str(spec), revision, client)


def _in_folder(folder: Path, name: str, source: str) -> RankerFiles:
    if not folder.is_dir():
        raise UserError(f"there is no ranker folder '{name}'", "pass --ranker bundled, a folder, or a Hub id")
    weights = folder / "model.safetensors"
    if not (folder / "config.json").is_file():
        raise UserError(
            f"'{name}' holds no ranker: config.json is missing", "pass a folder that a ranker was saved to"
        )
    _check_model_type(folder / "config.json", name)
    if not weights.is_file():
        raise UserError(f"'{name}' holds no ranker: model.safetensors is missing", "pickled weights are not read")
    return RankerFiles(folder, name, source, _digest(weights))


def _on_hub(spec: str, revision: str | None, client: HubClient) -> RankerFiles:
    repo_id, pinned = split_revision(spec)
    repo = client.resolve(repo_id, "model", pinned or revision)
    if "model.safetensors" not in repo or "config.json" not in repo:
        raise UserError(
            f"'{repo.id}' holds no ranker: config.json and model.safetensors are needed",
            "pass --ranker bundled, a folder, or a repository that a ranker was pushed to",
        )
    config_path = client.download(repo, "config.json")
    _check_model_type(config_path, repo.id)
    client.download(repo, "model.safetensors")
    return RankerFiles(config_path.parent, repo.id, "hub", repo.sha)


def _check_model_type(config_path: Path, name: str) -> None:
    try:
        model_type = json.loads(config_path.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise UserError(f"config.json of '{name}' is not readable JSON: {error}", "pass another ranker") from error
    if model_type != MODEL_TYPE:
        raise UserError(
            f"'{name}' is a model of type '{model_type}', not a ranker ('{MODEL_TYPE}')",
            "pass --ranker bundled, or a folder or repository that a ranker was saved to",
        )


def _load(folder: Path, name: str) -> CrossSightModel:
    from safetensors import SafetensorError

    from hf_crosssight.models import CrossSightModel

    try:
        with _no_loading_bar():
            model, report = CrossSightModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
    except (SafetensorError, ValueError, RuntimeError, OSError, KeyError, TypeError) as error:
        raise UserError(
            f"the ranker '{name}' cannot be loaded: {type(error).__name__}: {error}",
            "its files are damaged or of another version; fetch or train it again",
        ) from error
    if report["missing_keys"] or report["mismatched_keys"]:  # transformers would fill these with random numbers
        raise UserError(
            f"the ranker '{name}' cannot be loaded: its weights are not those of its config.json",
            "fetch or train it again",
        )
    return model.eval()


@contextmanager
def _no_loading_bar() -> Iterator[None]:
    """transformers draws a bar for every load; a ranker is loaded in milliseconds."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _digest(path: Path) -> str:
    """Names the content of a ranker that has no commit."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
