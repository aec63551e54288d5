"""What a weight encoder learns from: every model of a zoo as tensor tokens or chunks, with what is known of it.

Family, source dataset and lineage come from configurations and cards. They colour pictures, group batches and keep
kin out of the validation; the thesis' and the default losses do not read them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hf_crosssight.errors import CrossSightError, UserError
from hf_crosssight.ground_truth.lineage import lineage_folds, lineages, root_of
from hf_crosssight.hub.weight_files import WeightFiles, folder_weights
from hf_crosssight.tokens.byte_budget import DEFAULT_BUDGET
from hf_crosssight.tokens.tensor_kinds import KINDS
from hf_crosssight.tokens.weights import COLUMNS, WEIGHTS_SPEC, weights_view
from hf_crosssight.zoo.index import ZooIndex, is_index
from hf_crosssight.zoo.open import open_zoo
from hf_crosssight.zoo.record import ModelRecord

from .encoder_chunks import CHUNKS_SPEC, model_chunks

Progress = Callable[[str, int, int | None], None]

_KIND_START = COLUMNS.index(f"kind_{KINDS[0]}")
_LARGEST_HALF = 4 << 20  # bytes of each of two disjoint samples, or half of the model if that is less


@dataclass(frozen=True)
class EncoderCorpus:
    """M models.

    Attributes:
        ids (`tuple[str, ...]`).
        families, sources, lineages (`tuple[str, ...]`): architecture family, dataset of the last training, group of
            kin; `""` where unknown.
        samples (`np.ndarray`): float16 `[M, S, T, D]`. Tensor tokens: S = 3, the model within the whole budget and two
            disjoint samples of it (S = 1 from an index); chunks: S = 1.
        kinds (`np.ndarray`): int8 `[M, T]`, place in `KINDS` of each row of the first sample, -1 for none.
        spec (`str`): version of what the rows are.
        skipped (`tuple[tuple[str, str], ...]`): models that were left out, each with the reason.
    """

    ids: tuple[str, ...]
    families: tuple[str, ...]
    sources: tuple[str, ...]
    lineages: tuple[str, ...]
    samples: np.ndarray
    kinds: np.ndarray
    spec: str
    skipped: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def fingerprint(self) -> str:
        """Names the content: a training that is gone on with must see the same models."""
        digest = hashlib.sha256("\n".join((self.spec, *self.ids)).encode())
        digest.update(np.ascontiguousarray(self.samples).tobytes())
        return digest.hexdigest()[:16]

    def split(self, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows to train on and to validate on: whole lineages apart, about `share` of the models held out."""
        folds = max(round(1 / share), 2) if share > 0 else 1
        if folds == 1 or len(set(self.lineages)) < folds:
            return np.arange(len(self)), np.arange(0)
        fold_of = lineage_folds(dict(zip(self.ids, self.lineages, strict=True)), self.ids, folds, seed)
        held = np.array([fold_of[model] == 0 for model in self.ids])
        return np.flatnonzero(~held), np.flatnonzero(held)

    def take(self, rows: np.ndarray) -> EncoderCorpus:
        """The models of some rows."""
        names = ("ids", "families", "sources", "lineages")
        columns = {name: tuple(getattr(self, name)[row] for row in rows) for name in names}
        changes: dict[str, Any] = {**columns, "samples": self.samples[rows], "kinds": self.kinds[rows]}
        return dataclasses.replace(self, **changes)

    def joined(self, other: EncoderCorpus) -> EncoderCorpus:
        """These models, then the other's.

        Raises:
            ValueError: the two hold rows of different specifications.
        """
        if self.spec != other.spec or self.samples.shape[1:] != other.samples.shape[1:]:
            raise ValueError(f"{self.spec} {self.samples.shape} and {other.spec} {other.samples.shape} do not join")
        names = ("ids", "families", "sources", "lineages", "skipped")
        changes: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in names}
        changes |= {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in ("samples", "kinds")}
        return dataclasses.replace(self, **changes)


def read_corpus(
    zoo: str | Path,
    index: ZooIndex | None = None,
    *,
    chunk_length: int | None = None,
    budget: int = DEFAULT_BUDGET,
    progress: Progress | None = None,
) -> EncoderCorpus:
    """The corpus of a zoo.

    Args:
        zoo (`str` or `Path`): folder of model repositories; for tensor tokens an index or its Hub id too.
        index (`ZooIndex`, *optional*): the same, if it has been opened.
        chunk_length (`int`, *optional*): values of a chunk; tensor tokens are read if it is not given.
        budget (`int`, defaults to 8 MiB): bytes to read of a model.
        progress (*optional*): called as `progress(step, done, total)`.

    Raises:
        UserError: there is no such zoo, or no model of it has weights that can be read.
        HubError: the Hub or the network is at fault.
    """
    index = index or open_zoo(zoo, progress=progress)
    if not Path(zoo).is_dir() or is_index(zoo):
        return _from_index(index, chunk_length)
    records, found, skipped = [], [], list(index.skipped)
    for row in range(len(index)):
        record = index.record(row)
        if progress is not None:
            progress("reading weights", row, len(index))
        try:
            files = folder_weights(Path(zoo) / record.model_id)
            found.append(_sample(files, chunk_length, budget))
            records.append(record)
        except (CrossSightError, ValueError, OSError) as error:
            skipped.append((record.model_id, getattr(error, "what", str(error))))
    if progress is not None:
        progress("reading weights", len(index), len(index))
    return _corpus(records, found, chunk_length, tuple(skipped), str(zoo))


def _sample(files: WeightFiles, chunk_length: int | None, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples `[S, T, D]` of a model and the kinds `[T]` of the rows of the first."""
    if chunk_length is not None:
        chunks, kinds = model_chunks(files, length=chunk_length, budget=budget)
        return chunks[None], kinds
    half = min(_LARGEST_HALF, files.total_bytes // 2, budget)
    views = [weights_view(files, budget=budget).view]
    views += [weights_view(files, budget=half, part=(part, 2)).view for part in (0, 1)]
    return np.stack(views).astype(np.float16), row_kinds(views[0])


def row_kinds(view: np.ndarray) -> np.ndarray:
    """Place in `KINDS` of each row of a weights view `[T, D]`; -1 for the summary and for padding."""
    one_hot = view[:, _KIND_START : _KIND_START + len(KINDS)]
    kinds = np.where((view[:, 0] > 0.5) & (one_hot.max(1) > 0.5), one_hot.argmax(1), -1).astype(np.int8)
    kinds[0] = -1
    return kinds


def _from_index(index: ZooIndex, chunk_length: int | None) -> EncoderCorpus:
    if chunk_length is not None:
        what = f"the zoo index {index.id} holds no weights, and the thesis' encoder reads them"
        raise UserError(what, "Pass a folder of model repositories, or --preset default.")
    if "weights" not in index.views or not index.view_mask["weights"].any():
        raise UserError(f"the zoo index {index.id} has no weights view", "Build it with --views weights,structure.")
    rows = np.flatnonzero(index.view_mask["weights"])
    views = np.asarray(index.views["weights"][rows], np.float16)
    found = [(view[None], row_kinds(view)) for view in views]
    missing = tuple((index.model_ids[row], "has no weights view") for row in range(len(index)) if row not in set(rows))
    return _corpus([index.record(int(row)) for row in rows], found, None, missing, index.id)


def _corpus(
    records: Sequence[ModelRecord],
    found: Sequence[tuple[np.ndarray, np.ndarray]],
    chunk_length: int | None,
    skipped: tuple[tuple[str, str], ...],
    zoo: str,
) -> EncoderCorpus:
    if not found:
        named = "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in skipped[:3])
        what = f"no model of {zoo} has weights that can be read{f' ({named})' if named else ''}"
        raise UserError(what, "An encoder is trained on models with safetensors weights.")
    ids = tuple(record.model_id for record in records)
    return EncoderCorpus(
        ids,
        tuple(record.family or "" for record in records),
        tuple(record.pretrain_data[-1] if record.pretrain_data else "" for record in records),
        _kin(records),
        np.stack([samples for samples, _ in found]),
        np.stack([kinds for _, kinds in found]),
        WEIGHTS_SPEC if chunk_length is None else f"{CHUNKS_SPEC} of {chunk_length}",
        skipped,
    )


def _kin(records: Sequence[ModelRecord]) -> tuple[str, ...]:
    """Lineage of each model; a base model may be named with or without the zoo's own prefix."""
    last = {record.model_id.split("/")[-1]: record.model_id for record in records}
    ids = {record.model_id for record in records}
    bases = {}
    for record in records:
        base = record.base_model
        bases[record.model_id] = base if base is None or base in ids else last.get(base.split("/")[-1])
    found = lineages({record.model_id: root_of(record) for record in records}, bases)
    return tuple(found[record.model_id] for record in records)
