"""What is left between a prediction and the truth on a device: its prior spread, and what a few timings tell of it.

The log residual of a model on a device is a Gaussian process over the models' scaled features z (d of them):
k(z, z') = s_device^2 + s_slope^2 z.z' / d + s_likeness^2 exp(-|z - z'|^2 / (2 l^2 d)), plus noise. Up to 20 anchor
timings condition it (Rasmussen, Williams, 2006, eq. 2.25 and 2.26); without any it says how wrong an unseen device's
prediction may be. Intervals are the process's standard deviations times a factor that held on devices left out
(split conformal prediction with normalised scores: Papadopoulos et al., 2002).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np

LEVEL = 0.9  # share of the truths that an interval is to hold


@dataclass(frozen=True)
class Spread:
    """Standard deviations of the log residual: of a whole device, of its slopes, of like models, of one timing."""

    device: float
    slope: float
    likeness: float
    length: float
    noise: float

    @classmethod
    def from_array(cls, values: np.ndarray) -> Spread:
        return cls(*(float(value) for value in values))

    def to_array(self) -> np.ndarray:
        return np.array(astuple(self), np.float32)

    def covariance(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Between models `[L, d]` and `[R, d]`, without noise: `[L, R]`."""
        dims = left.shape[1]
        products = left @ right.T
        distances = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * products
        near = np.exp(-np.maximum(distances, 0) / (2 * self.length**2 * dims))
        return self.device**2 + self.slope**2 * products / dims + self.likeness**2 * near

    def prior_deviation(self, scaled: np.ndarray) -> np.ndarray:
        """Standard deviation of the log residual on an unseen device, noise included, `[M]`."""
        norms = np.einsum("md,md->m", scaled, scaled) / scaled.shape[1]
        return np.sqrt(self.device**2 + self.slope**2 * norms + self.likeness**2 + self.noise**2)


def condition(
    spread: Spread, anchors: np.ndarray, residuals: np.ndarray, scaled: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(mean, standard deviation) of the log residuals `[M]` of models given the residuals of anchors.

    Args:
        spread: the process.
        anchors: scaled features of the anchors `[A, d]`.
        residuals: log(measured / predicted) of the anchors `[A]`.
        scaled: scaled features of the models to predict `[M, d]`.
    """
    from scipy.linalg import cho_solve, cholesky

    own = spread.covariance(anchors, anchors) + spread.noise**2 * np.eye(len(anchors))
    factor = cholesky(own, lower=True)
    across = spread.covariance(scaled, anchors)
    mean = across @ cho_solve((factor, True), residuals)
    explained = np.einsum("ma,ma->m", across @ np.linalg.inv(own), across)
    return mean, np.sqrt(np.maximum(spread.prior_deviation(scaled) ** 2 - explained, spread.noise**2))


def conformal_factor(residuals: np.ndarray, deviations: np.ndarray, level: float = LEVEL) -> float:
    """The factor on the deviations that holds a share `level` of residuals: the ceil((n + 1) level)-th smallest."""
    scores = np.sort(np.abs(residuals) / deviations)
    return float(scores[min(len(scores) - 1, int(np.ceil((len(scores) + 1) * level)) - 1)])
