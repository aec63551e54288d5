"""Where the files of a zoo's models lie, for what has to run them: a folder of this machine, else the Hub's cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hf_crosssight.errors import CrossSightError
from hf_crosssight.features import UnusableModelError
from hf_crosssight.hub import HubClient
from hf_crosssight.zoo.folder import check_folder, model_folders
from hf_crosssight.zoo.index import ZooIndex, is_index
from hf_crosssight.zoo.repo_files import UnreadableRepoError

FILES = ("config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True)
class FoundFiles:
    """A model's files: their folder, and the commit they stand at (`None` for a folder of the user's own)."""

    folder: Path
    revision: str | None


@dataclass(frozen=True)
class ModelFolders:
    """Finds models by id.

    Args:
        zoo: the models; those of the Hub are fetched at the revision that it states.
        root: a folder of model repositories that is looked in first; `None` for none.
        client: the way to the Hub; `None` to stay on this machine.
    """

    zoo: ZooIndex
    root: Path | None
    client: HubClient | None
    _local: Mapping[str, Path] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found = dict(model_folders(self.root)) if self.root is not None else {}
        object.__setattr__(self, "_local", found)

    def find(self, model_id: str) -> FoundFiles:
        """The files of a model; what is missing of a model of the Hub is downloaded.

        Raises:
            UnusableModelError: they cannot be had, with the reason.
        """
        local = self._local.get(model_id) or self._local.get(model_id.rpartition("/")[2])
        try:
            if local is not None and self.root is not None:
                check_folder(self.root, local)
                return FoundFiles(local, None)
            if self.client is None or model_id.count("/") != 1:
                raise UnusableModelError("its files are not on this machine")
            repo = self.client.resolve(model_id, "model", self._revision(model_id))
            return FoundFiles(self.client.snapshot(repo, FILES), repo.sha)
        except UnreadableRepoError as error:
            raise UnusableModelError(str(error)) from error
        except CrossSightError as error:
            raise UnusableModelError(error.what) from error

    def _revision(self, model_id: str) -> str | None:
        """The commit that the zoo was built at, where it states one."""
        rows = {name: row for row, name in enumerate(self.zoo.model_ids)}
        stated = self.zoo.record(rows[model_id]).revision if model_id in rows else None
        is_commit = stated is not None and len(stated) == 40 and set(stated) <= set("0123456789abcdef")
        return stated if is_commit else None


def root_of(spec: str | Path, named: str | Path | None = None) -> Path | None:
    """The folder of models that the caller names, else the one that a zoo was read from; `None` for other zoos."""
    if named is not None:
        return Path(named).expanduser()
    path = Path(spec).expanduser()
    return path if path.is_dir() and not is_index(path) else None
