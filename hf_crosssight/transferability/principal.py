"""Principal components, the same ones in every run.

All of them, or few of few, come from the smaller Gram matrix, exactly. The leading ones of a matrix that is large on
both sides come from a block Krylov subspace: the public codes take a randomised SVD there, and a whole spectrum would
cost ten times what the methods on top of it do.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import linalg

from .classes import centre, centre_single, gram
from .inputs import Array

# Krylov blocks, and directions in each beyond those that are asked for.
_DEPTH = 4
_SPARE = 16


def leading_components(features: Array, most: int | None = None, energy: float = 1.0) -> Array:
    """`[N, k]` coordinates in float64 on the leading principal components, widest first.

    Args:
        features: `[N, D]` in float32 or float64.
        most: at most so many components.
        energy: as few components as hold more than this share of the variance.

    Components of rounding size are left out; the features must vary.
    """
    if most is not None and min(features.shape) > 2 * _DEPTH * (most + _SPARE):
        return _krylov_components(features, most)
    tall = len(features) >= features.shape[1]
    mean = features.mean(axis=0, dtype=np.float64)
    if tall:
        # Piece by piece, so that no second copy of the features is held.
        product = np.zeros((features.shape[1],) * 2)
        for piece in _centred_pieces(features, mean):
            product += piece.T @ piece
    else:
        product = gram(centre(features.astype(np.float64), overwrite=True))
    size = len(product)
    wanted = (size - min(most, size), size - 1) if most is not None else None
    driver = "evr" if wanted else "evd"
    values, vectors = linalg.eigh(product, subset_by_index=wanted, driver=driver, check_finite=False)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = int((values > values[0] * 1e-12).sum())
    if energy < 1.0:
        shares = np.cumsum(np.maximum(values, 0.0)) / np.trace(product)
        kept = min(kept, int(np.searchsorted(shares, energy, side="right")) + 1)
    if tall:
        return np.concatenate([piece @ vectors[:, :kept] for piece in _centred_pieces(features, mean)])
    return vectors[:, :kept] * np.sqrt(values[:kept])


def _centred_pieces(features: Array, mean: Array) -> Iterator[Array]:
    return (features[start : start + 2048] - mean for start in range(0, len(features), 2048))


def _krylov_components(features: Array, most: int) -> Array:
    """Coordinates on the Ritz vectors of a block Krylov subspace of X'X (Musco and Musco, 2015, algorithm 2).

    In float32, from a fixed start. The components hold 0.1 % less variance than the best where the spectrum falls as
    that of features does, 2 % less where it is flat.
    """
    rows, scale = centre_single(features)
    block = np.random.default_rng(0).standard_normal((rows.shape[1], most + _SPARE), dtype=np.float32)
    basis = np.empty((rows.shape[1], 0), dtype=np.float32)
    for _ in range(_DEPTH):
        block = rows.T @ (rows @ block)
        # Twice is enough (Parlett): once leaves what rounding puts back.
        for _ in range(2):
            block -= basis @ (basis.T @ block)
            block = linalg.qr(block, mode="economic", check_finite=False)[0]
        basis = np.hstack([basis, block])
    seen = rows @ basis
    values, vectors = linalg.eigh((seen.T @ seen).astype(np.float64), check_finite=False)
    leading = vectors[:, ::-1][:, :most][:, values[::-1][:most] > values[-1] * 1e-10]
    return scale * (seen.astype(np.float64) @ leading)
