"""The weights of a model, wherever they lie: headers first, then the runs of elements that are wanted, as a stream.

    files = repo_weights(client, client.resolve("org/name"))     # or folder_weights(path)
    for piece in files.read([TensorBlock(files.tensors[0], 0, 1024)]):
        piece.name, piece.values()

Nothing is downloaded whole and nothing is unpickled. `repo_weights` is pinned to the commit of its repository.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hf_crosssight.errors import UserError

from .header_cache import keep_header, kept_header
from .mapped_files import LocalFile, Span, read_mapped
from .safetensors import read_header
from .shards import INDEX, LARGEST_INDEX, choose_weights, index_too_large, join_shards, parse_index, sample_shards
from .tensor_blocks import TensorBlock, TensorSlice
from .tensor_info import TensorInfo
from .tensor_values import meaningless
from .weight_stream import LARGEST_PIECE, stream_spans

if TYPE_CHECKING:
    from .client import HubClient
    from .resolved import ResolvedRepo

__all__ = [
    "TensorBlock",
    "TensorInfo",
    "TensorSlice",
    "WeightFiles",
    "folder_tensors",
    "folder_weights",
    "repo_tensors",
    "repo_weights",
]

Progress = Callable[[str, int, int | None], None]
MAX_SHARDS = 16
"""Headers of a Hub model that are read, where it has more shards."""

# Most headers of image models fit, so that one request does.
_FIRST_READ = 1 << 15
_HEADER_ENTRY = 96  # bytes of one tensor's entry beside its name


@dataclass(frozen=True)
class WeightFiles:
    """A model's weight files, of the Hub or of a folder.

    Attributes:
        tensors (`tuple[TensorInfo, ...]`): of the headers that were read, those without numeric meaning included.
        unread (`tuple[str, ...]`): names of the tensors in shards whose headers were not read.
        num_shards, shards_read (`int`): weight files of the model, and those whose headers were read.
        total_bytes (`int`): bytes of all tensors; where shards were left out, theirs are estimated from their size.
        revision (`str`): the commit; of a folder a hash of its headers and sizes, so that all models of one
            architecture may have the same one: `fingerprint` tells them apart.
        header_bytes (`int`): bytes that reading the headers has fetched.
    """

    tensors: tuple[TensorInfo, ...]
    unread: tuple[str, ...]
    num_shards: int
    shards_read: int
    total_bytes: int
    revision: str
    header_bytes: int
    _stream: Callable[[Iterable[Span]], Iterator[bytes | memoryview]] = field(repr=False, compare=False)
    _content: Callable[[], str] = field(repr=False, compare=False)

    @cached_property
    def fingerprint(self) -> str:
        """The commit; of a folder a hash of headers, sizes and samples of the content: what caches are keyed by."""
        return self._content()

    @property
    def num_tensors(self) -> int:
        """Tensors of the whole model; those of shards that were left out are counted in the index."""
        return len(self.tensors) + len(self.unread)

    @cached_property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """(name, reason) of the tensors whose numbers mean nothing: masks, index tables, packed integers, empty."""
        names = frozenset((*(tensor.name for tensor in self.tensors), *self.unread))
        reasons = ((tensor.name, meaningless(tensor, names)) for tensor in self.tensors)
        return tuple((name, reason) for name, reason in reasons if reason is not None)

    @cached_property
    def numeric(self) -> tuple[TensorInfo, ...]:
        """The tensors that are not `skipped`."""
        skipped = {name for name, _ in self.skipped}
        return tuple(tensor for tensor in self.tensors if tensor.name not in skipped)

    def read(self, blocks: Iterable[TensorBlock], *, progress: Progress | None = None) -> Iterator[TensorSlice]:
        """The blocks' bytes, in the order asked for; never more than a few chunks (24 MiB) are held.

        A block of more than `LARGEST_PIECE` (4 MiB) comes as several slices, one behind the other.

        Args:
            blocks (`Iterable[TensorBlock]`): of `tensors`; taken from the iterable as they are needed.
            progress (`Callable`, *optional*): told bytes done and, where `blocks` is a sequence, their number.

        Raises:
            UserError: a file is gone, changed or truncated, access is refused.
            HubError: the Hub or the network fails.
        """
        total = sum(block.nbytes for block in blocks) if isinstance(blocks, Sequence) else None
        asked: deque[TensorBlock] = deque()
        done = 0
        for data in self._stream(self._spans(blocks, asked)):
            piece = TensorSlice(asked.popleft(), data)
            done += len(data)
            yield piece
            if progress is not None:
                progress("reading weights", done, total)

    def _spans(self, blocks: Iterable[TensorBlock], asked: deque[TensorBlock]) -> Iterator[Span]:
        own = {tensor.file for tensor in self.tensors}
        for block in blocks:
            if block.tensor.file not in own:
                raise ValueError(f"{block.tensor} is no tensor of this model")
            for piece in block.pieces(LARGEST_PIECE):
                span = Span(block.tensor.file, *piece.span)
                asked.append(piece)
                yield span


def folder_weights(folder: str | Path) -> WeightFiles:
    """The weights of a model's folder, memory-mapped.

    Raises:
        UserError: there is no safetensors file, it is ambiguous which one is the model, or one leaves the folder.
        SafetensorsError: a file is not sound, or the shards do not fit their index.
    """
    try:
        return _open_folder(Path(folder))
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.", "Check its files and their rights.") from error


def _open_folder(root: Path) -> WeightFiles:
    names = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]
    chosen = choose_weights(names, str(root))
    shards = None
    if chosen == INDEX:
        with _inside(root, INDEX).open("rb") as file:
            shards = parse_index(file.read(LARGEST_INDEX + 1), names)
    paths = [chosen] if shards is None else sorted(set(shards.values()))
    local = {path: LocalFile.of(_inside(root, path)) for path in paths}
    headers = {path: read_header(file.path, path) for path, file in local.items()}
    tensors = headers[chosen] if shards is None else join_shards(headers, shards)
    revision = _headers_hash(tensors, local)
    return WeightFiles(
        tensors=tuple(tensors),
        unread=(),
        num_shards=len(paths),
        shards_read=len(paths),
        total_bytes=sum(tensor.nbytes for tensor in tensors),
        revision=revision,
        header_bytes=sum(file.size for file in local.values()) - sum(tensor.nbytes for tensor in tensors),
        _stream=lambda spans: read_mapped(spans, local.__getitem__),
        _content=lambda: _content_hash(revision, local),
    )


def folder_tensors(folder: str | Path) -> list[TensorInfo]:
    """The tensors of a model's folder, in one file or in shards; errors as for `folder_weights`."""
    return list(folder_weights(folder).tensors)


def _inside(root: Path, path: str) -> Path:
    """The file `path` of a model's folder; a link may lead to the blobs of huggingface_hub's cache, nowhere else."""
    place = root / path
    target = place.resolve()
    blobs = root.resolve().parent.parent / "blobs"
    if not (target.is_relative_to(root.resolve()) or target.is_relative_to(blobs)):
        raise UserError(f"{path} of {root} is a link that leaves the folder.", "Put the file itself there.")
    return place


def _headers_hash(tensors: Sequence[TensorInfo], local: dict[str, LocalFile]) -> str:
    rows = [(one.file, one.name, one.dtype, one.shape, one.start, one.stop) for one in tensors]
    sizes = [(path, file.size) for path, file in sorted(local.items())]
    return hashlib.sha256(repr((rows, sizes)).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _content_hash(revision: str, local: dict[str, LocalFile]) -> str:
    """`revision` with samples of the content: 4 KiB a MiB, 64 at most, at the same places in files of one size."""
    digest = hashlib.sha256(revision.encode())
    for _, file in sorted(local.items()):
        samples = min(64, max(2, file.size >> 20))
        with file.path.open("rb") as opened:
            for index in range(samples):
                opened.seek(max(0, file.size - 4096) * index // (samples - 1))
                digest.update(opened.read(4096))
    return digest.hexdigest()[:40]


def repo_weights(client: HubClient, repo: ResolvedRepo, *, max_shards: int = MAX_SHARDS) -> WeightFiles:
    """The weights of a model of the Hub, pinned to its commit.

    Headers cost a request or two a file, some kilobytes each, and are kept once a commit. Of more than `max_shards`
    shards the headers of a stratified subset are read, see `sample_shards`.

    Raises:
        UserError, SafetensorsError: as for `folder_weights`.
        HubError: the Hub fails.
    """
    names = [file.path for file in repo.files]
    chosen = choose_weights(names, str(repo))
    shards = _index_of(client, repo, names) if chosen == INDEX else None
    paths = [chosen] if shards is None else sorted(set(shards.values()))
    picked = sample_shards(paths, max_shards, repo.sha)
    before = client.bytes_read
    guesses = _header_guesses(shards or {})
    with ThreadPoolExecutor(max_workers=8) as pool:
        read = pool.map(lambda path: _header(client, repo, path, guesses.get(path, _FIRST_READ)), picked)
        headers = dict(zip(picked, read, strict=True))
    tensors = headers[chosen] if shards is None else join_shards(headers, shards)
    return WeightFiles(
        tensors=tuple(tensors),
        unread=tuple(name for name, shard in (shards or {}).items() if shard not in headers),
        num_shards=len(paths),
        shards_read=len(picked),
        total_bytes=_estimate_bytes(repo, tensors, paths, picked),
        revision=repo.sha,
        header_bytes=client.bytes_read - before,
        _stream=lambda spans: stream_spans(spans, lambda file, stopped: client.reader(repo, file, stopped)),
        _content=lambda: repo.sha,
    )


def repo_tensors(client: HubClient, repo: ResolvedRepo) -> list[TensorInfo]:
    """All tensors of a model of the Hub, of however many shards; errors as for `repo_weights`."""
    return list(repo_weights(client, repo, max_shards=max(2, len(repo.files))).tensors)


def _index_of(client: HubClient, repo: ResolvedRepo, names: list[str]) -> dict[str, str]:
    entry = repo.file(INDEX)
    if entry is not None and (entry.size or 0) > LARGEST_INDEX:
        raise index_too_large()
    return parse_index(client.download(repo, INDEX).read_bytes(), names)


def _header_guesses(shards: dict[str, str]) -> dict[str, int]:
    """Bytes that the header of each shard will take, so that one request fetches it and little else."""
    guesses: dict[str, int] = {}
    for name, shard in shards.items():
        guesses[shard] = guesses.get(shard, 1 << 10) + len(name) + _HEADER_ENTRY
    return guesses


def _header(client: HubClient, repo: ResolvedRepo, path: str, first_read: int) -> list[TensorInfo]:
    kept = kept_header(repo, path)
    if kept is not None:
        return kept
    with client.open(repo, path, block_size=first_read) as file:
        tensors = read_header(file, path)
    keep_header(repo, path, tensors)
    return tensors


def _estimate_bytes(repo: ResolvedRepo, tensors: Sequence[TensorInfo], paths: list[str], picked: list[str]) -> int:
    """Bytes of all tensors: known for the shards that were read, for the others their size less a like header."""
    known = sum(tensor.nbytes for tensor in tensors)
    if len(picked) == len(paths):
        return known
    sizes = {file.path: file.size for file in repo.files if file.size is not None}
    overhead = sum(sizes.get(path, 0) for path in picked) - known
    usual = known // len(picked)
    rest = [path for path in paths if path not in set(picked)]
    return known + sum(
        max(0, sizes[path] - max(0, overhead) // len(picked)) if path in sizes else usual for path in rest
    )
