"""ETran: the energy of the features and the accuracy of a linear discriminant.

Source: Gholami, Akbari, Wang, Kamranian, Zhang, "ETran: energy-based transferability estimation" (ICCV 2023),
equations 3 to 8: 0.85 x the mean posterior of the true class + 0.15 x the energy E = mean logsumexp(row).

As published both parts are min-max scaled over the zoo. Default: the posterior is a number in [0, 1] as it stands; the
energy is taken of features in units of their own spread, less that of a constant row, e = mean logsumexp((x -
mean)/std)
- log D >= 0, and enters as e/(1 + e). So one model has a score, whatever the scale of its features and the company.
The
discriminant is Ledoit and Wolf's shrunk one, each image left out of its own fit.

Public implementation: its discriminant calls `eigh` on a non-symmetric matrix, which leaves plain nearest means
(`etran-lda`, the default); the energy is that of the lowest 0.5 % of the rows (`etran-energy`; one row at N = 300,
none below 200; `etran-energy-top`: the highest). `score_zoo(..., parity=True)` is the published sum over a zoo.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hf_crosssight.errors import UserError

from .discriminant import shrunk_discriminant
from .inputs import Array, Inputs
from .ncti import min_max
from .sfda import public_posteriors

_WEIGHTS = np.array([0.85, 0.15])


def score(inputs: Inputs) -> float:
    """0.85 x mean posterior of the true class + 0.15 x squashed energy, in (0, 1)."""
    rows, labels = inputs.features, inputs.labels
    centred = np.subtract(rows, rows.mean(), out=rows)
    centred /= np.sqrt(np.einsum("ij,ij->", centred, centred) / centred.size)
    found = shrunk_discriminant(centred, labels, inputs.num_classes)
    posterior = found.posteriors[np.arange(len(rows)), labels].mean()
    energy = float(_energies(centred).mean()) - np.log(rows.shape[1])
    energy = max(energy, 0.0)
    return float(_WEIGHTS @ np.array([posterior, energy / (1.0 + energy)]))


def _energies(rows: Array) -> Array:
    from scipy.special import logsumexp

    return np.asarray(logsumexp(rows, axis=1))


def parts(inputs: Inputs, state: np.random.RandomState) -> tuple[float, float]:
    """The published discriminant part and energy part."""
    return parity(inputs, "etran-lda"), parity(inputs, "etran-energy")


def over_zoo(found: Sequence[tuple[float, ...]]) -> list[float]:
    """The published score of each model: both parts min-max scaled over the zoo, 0.85 and 0.15 of them."""
    return [float(row @ _WEIGHTS) for row in min_max(np.asarray(found), "etran")]


def parity(inputs: Inputs, implementation: str) -> float:
    """One of the published parts."""
    if implementation == "etran-lda":
        posteriors = public_posteriors(inputs.features, inputs.labels, inputs.num_classes, None)
        return float(posteriors[np.arange(len(posteriors)), inputs.labels].mean())
    energies = np.sort(_energies(inputs.features))
    if implementation == "etran-energy-top":
        tail = -(-5 * len(energies) // 1000)
        return float(energies[-tail:].mean())
    if len(energies) < 200:
        raise UserError(
            "etran: the public energy takes the lowest 0.5 % of the images, of which there are none", "use 200"
        )
    return float(energies[: 5 * len(energies) // 1000].mean())
