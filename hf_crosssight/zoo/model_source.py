"""Where the models of a zoo come from: the Hub, one commit of each, or a folder of repositories.

Both give the same few things of a model: what it is called and at which revision it stands, its facts, its weights as
a stream, and a folder that holds it whole for the one view that runs it.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from hf_crosssight.hub.cache import cached_file
from hf_crosssight.hub.client import HubClient, ResolvedRepo
from hf_crosssight.hub.ids import split_revision
from hf_crosssight.hub.weight_files import WeightFiles, folder_weights, repo_weights
from hf_crosssight.tokens.structure import parameter_count
from hf_crosssight.tokens.tensor_kinds import place_tensors
from hf_crosssight.zoo.folder import check_folder, folder_facts, model_folders, nothing_usable, small_file
from hf_crosssight.zoo.hub_models import hub_config, hub_facts
from hf_crosssight.zoo.model_facts import ModelFacts
from hf_crosssight.zoo.repo_files import CONFIG, IMAGE_PROCESSOR, README, check_files, parse_config

_COPY = 8 << 20  # bytes held while a file is fetched whole


class FoundModel(Protocol):
    """One model of a source, pinned to a revision; nothing but its listing has been read."""

    @property
    def model_id(self) -> str:
        """Canonical id."""

    @property
    def revision(self) -> str:
        """Commit, or hash of a folder's files."""

    @property
    def weight_bytes(self) -> int:
        """Bytes of its safetensors files."""

    @property
    def config(self) -> Mapping[str, Any]:
        """config.json; raises `UnreadableRepoError` where there is none to read."""

    @property
    def weights(self) -> WeightFiles:
        """Its weights: the headers are read on the first use, and kept."""

    def facts(self) -> ModelFacts:
        """What config, card and headers tell."""

    def whole(self, scratch: Path) -> contextlib.AbstractContextManager[Path]:
        """A folder with config and weights; what has to be fetched lies below `scratch` until the end."""


class ModelSource(Protocol):
    """Models by name."""

    def names(self) -> Sequence[str]:
        """The names, in order."""

    def find(self, name: str) -> FoundModel:
        """The model of a name; raises `UserError`, `HubError` or `UnreadableRepoError` where it cannot be used."""

    def bytes_read(self) -> int | None:
        """Bytes that ranged reads have fetched so far; `None` where nothing is fetched."""


@dataclass(frozen=True)
class HubSource:
    """Models of the Hub.

    Args:
        client (`HubClient`): the way there.
        ids (`tuple[str, ...]`): `ID` or `ID@REVISION`.
    """

    client: HubClient
    ids: tuple[str, ...]

    def names(self) -> Sequence[str]:
        return self.ids

    def find(self, name: str) -> FoundModel:
        split_revision(name)
        repo = self.client.resolve(name, "model")
        check_files(file.path for file in repo.files)
        return HubModel(self.client, repo)

    def bytes_read(self) -> int | None:
        return self.client.bytes_read


class HubModel:
    """A model of the Hub at one commit."""

    def __init__(self, client: HubClient, repo: ResolvedRepo) -> None:
        self.client, self.repo = client, repo
        self.model_id, self.revision = repo.id, repo.sha

    @property
    def weight_bytes(self) -> int:
        return sum(file.size or 0 for file in self.repo.files if file.path.endswith(".safetensors"))

    @cached_property
    def config(self) -> Mapping[str, Any]:
        return hub_config(self.client, self.repo)

    @cached_property
    def weights(self) -> WeightFiles:
        return repo_weights(self.client, self.repo)

    def facts(self) -> ModelFacts:
        files = self.weights
        return hub_facts(self.client, self.repo, self.config, files.tensors, params=estimated_params(files))

    @contextlib.contextmanager
    def whole(self, scratch: Path) -> Iterator[Path]:
        wanted = [file.path for file in self.repo.files if _is_needed(file.path)]
        held = [cached_file(self.repo, path) for path in wanted]
        if all(held) and held[0] is not None:
            yield held[0].parent
            return
        scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=scratch, prefix="whole-") as folder:
            for path in wanted:
                self._fetch(path, Path(folder) / path)
            yield Path(folder)

    def _fetch(self, path: str, place: Path) -> None:
        """One file beside the Hugging Face cache: a zoo of a thousand models must not fill the disk with them."""
        with self.client.open(self.repo, path, block_size=_COPY) as source, place.open("wb") as target:
            shutil.copyfileobj(source, target, _COPY)


@dataclass(frozen=True)
class FolderSource:
    """The models of a folder: sub-folders `name/` or `org/name/`.

    Args:
        root (`Path`): the folder.
        only (`tuple[str, ...]`, *optional*): just these ids; all by default.
    """

    root: Path
    only: tuple[str, ...] | None = None

    @property
    def folders(self) -> dict[str, Path]:
        """Id → folder; raises `UserError` where there is no model at all."""
        found = dict(model_folders(self.root))
        if not found:
            raise nothing_usable(self.root, [])
        return found

    def names(self) -> Sequence[str]:
        return self.only if self.only is not None else list(self.folders)

    def find(self, name: str) -> FoundModel:
        path = self.root / split_revision(name)[0]
        check_folder(self.root, path)
        return FolderModel(name, path)

    def bytes_read(self) -> int | None:
        return None


class FolderModel:
    """A model repository on this machine."""

    def __init__(self, model_id: str, path: Path) -> None:
        self.model_id, self.path = model_id, path

    @cached_property
    def revision(self) -> str:
        """A hash of the small files and of samples of the weights, so that a copy has the same one."""
        digest = hashlib.sha256(self.weights.fingerprint.encode())
        for name in (CONFIG, IMAGE_PROCESSOR, README):
            content = small_file(self.path / name)
            digest.update(b"-" if content is None else hashlib.sha256(content).digest())
        return digest.hexdigest()[:40]

    @property
    def weight_bytes(self) -> int:
        return self.weights.total_bytes

    @cached_property
    def config(self) -> Mapping[str, Any]:
        return parse_config(small_file(self.path / CONFIG))

    @cached_property
    def weights(self) -> WeightFiles:
        return folder_weights(self.path)

    def facts(self) -> ModelFacts:
        return folder_facts(self.model_id, self.path, self.weights.tensors, revision=self.revision)

    @contextlib.contextmanager
    def whole(self, scratch: Path) -> Iterator[Path]:
        yield self.path


def estimated_params(files: WeightFiles) -> int | None:
    """Parameters of a model of which not all headers were read; `None` where they can be counted."""
    held = sum(tensor.nbytes for tensor in files.tensors)
    if files.shards_read == files.num_shards or not held:
        return None
    return round(parameter_count(place_tensors(files.tensors)) * files.total_bytes / held)


def _is_needed(path: str) -> bool:
    at_top = "/" not in path
    return at_top and (path in (CONFIG, IMAGE_PROCESSOR) or path.endswith((".safetensors", ".safetensors.index.json")))
