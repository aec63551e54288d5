"""The thesis' view of a network: its weights flattened, normalised and cut into chunks (Algorithm 1)."""

from __future__ import annotations

import numpy as np

from hf_crosssight.hub.weight_files import WeightFiles
from hf_crosssight.tokens.byte_budget import DEFAULT_BUDGET, plan_blocks
from hf_crosssight.tokens.tensor_kinds import KINDS, place_tensors

CHUNKS_SPEC = "chunks/1"
CHUNKS_A_MODEL = 192
_SHORTEST = 32  # values; a chunk of fewer is all padding
_EPSILON = 1e-8


def model_chunks(
    files: WeightFiles, *, length: int, most: int = CHUNKS_A_MODEL, budget: int = DEFAULT_BUDGET
) -> tuple[np.ndarray, np.ndarray]:
    """Chunks of a model's tensors, in the order of its files.

    Each tensor is flattened, less its mean and over its standard deviation, and cut; the last chunk is filled up with
    zeros, the mean. Tensors of less than 32 values are left out. Of more than `most` chunks, evenly many are taken.

    Args:
        files: its weights.
        length (`int`): values of a chunk.
        most (`int`): chunks at most.
        budget (`int`, defaults to 8 MiB): bytes to read.

    Returns:
        Float16 `[most, 1 + length]`, column 0 valid, and int8 `[most]`, each chunk's place in `KINDS` or -1.

    Raises:
        ValueError: the model has no weights whose numbers mean anything.
    """
    plan = plan_blocks(files.numeric, key=files.revision, budget=budget)
    values: dict[str, list[np.ndarray]] = {}
    for piece in files.read(plan.blocks):
        values.setdefault(piece.name, []).append(piece.values())
    kinds = {place.name: KINDS.index(place.kind) for place in place_tensors(files.numeric)}
    rows: list[np.ndarray] = []
    marks: list[int] = []
    for name, runs in values.items():
        cut = _cut(np.concatenate(runs), length)
        rows.extend(cut)
        marks.extend([kinds.get(name, -1)] * len(cut))
    if not rows:
        raise ValueError("no tensor holds weights that mean anything")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))
    chunks = np.zeros((most, 1 + length), np.float16)
    found = np.full(most, -1, np.int8)
    for place, row in enumerate(chosen):
        chunks[place, 0], chunks[place, 1:], found[place] = 1.0, rows[row], marks[row]
    return chunks, found


def _cut(values: np.ndarray, length: int) -> list[np.ndarray]:
    """Normalised chunks `[length]` of a flat tensor; none of one that is constant or very short."""
    finite = values[np.isfinite(values)]
    if len(finite) < _SHORTEST or float(finite.std()) == 0.0:
        return []
    centred = np.where(np.isfinite(values), values - finite.mean(), 0.0) / (finite.std() + _EPSILON)
    centred = np.clip(centred, -50.0, 50.0)
    padded = np.zeros(-(-len(centred) // length) * length, np.float32)
    padded[: len(centred)] = centred
    chunks = list(padded.reshape(-1, length))
    return chunks if len(centred) % length >= _SHORTEST or len(centred) % length == 0 else chunks[:-1]
