"""Principal components by the smaller Gram matrix, with no random solver."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from .classes import centre
from .inputs import Array


def leading_components(features: Array, most: int | None = None, energy: float = 1.0) -> Array:
    """`[N, k]` coordinates on the leading principal components, widest first.

    Args:
        most: at most so many components.
        energy: as few components as hold more than this share of the variance.

    Components of rounding size are left out; the features must vary.
    """
    rows = centre(features)
    tall = len(rows) >= rows.shape[1]
    product = rows.T @ rows if tall else rows @ rows.T
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
        return rows @ vectors[:, :kept]
    return vectors[:, :kept] * np.sqrt(values[:kept])
