"""What a sample of a weight tensor says, in numbers that networks of different families, widths and scales share.

Everything is measured against what chance would give: values against a Gaussian of their own width, scale against the
fan-in, singular values against the Marchenko-Pastur edge of a random matrix of the same shape, kernels against white
noise. Rows are output units; all statistics are blind to the order of rows and of columns, and those of pairs of rows
are U-statistics, so that a part of the rows estimates the same numbers as all of them.

Sources: Martin and Mahoney (2019), "Traditional and heavy-tailed self regularization in neural network models"
(spectra against Marchenko-Pastur, tail exponents); Kong and Valiant (2017), "Spectrum estimation from samples"
(moments of a spectrum from off-diagonal Gram matrices); Unterthiner et al. (2020), "Predicting neural network accuracy
from weights" (quantiles as descriptors).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_NORMAL = np.array((-2.3263, -1.6449, -0.6745, 0.0, 0.6745, 1.6449, 2.3263))
_ROW_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_ROW_NORMAL = _NORMAL[1:6]

DISTRIBUTION = (
    "log_gain",
    "log_std",
    *(f"q{round(100 * q):02d}" for q in QUANTILES),
    "skew",
    "kurtosis",
    "sparsity",
)
ROWS = (
    "row_norm_cv",
    "row_norm_low",
    "row_norm_high",
    "row_mean",
    "row_mean_spread",
    "column_norm_cv",
    "column_norm_range",
    *(f"row_q{round(100 * q):02d}" for q in _ROW_QUANTILES),
    *(f"row_q{round(100 * q):02d}_spread" for q in _ROW_QUANTILES),
    "row_kurtosis",
    "row_kurtosis_spread",
)
SPECTRUM = (
    "row_cosine",
    "row_alignment",
    "top_direction",
    "column_alignment",
    *(f"singular_{k}" for k in (1, 2, 4, 8)),
    "edge_excess",
    "rank_deficit",
    "bulk",
    "hill",
)
KERNEL = ("dc", "lag_x", "lag_y", "lag_2", "centre", "mirror_x", "mirror_y", "channel_sum")
BIAS = ("bias_scale", "bias_mean", "bias_kurtosis", "bias_row_norm")
NORM = (
    "gain_mean",
    "gain_cv",
    "gain_low",
    "gain_high",
    "gain_dead",
    "offset_mean",
    "offset_spread",
    "offset_gain",
    "running_mean",
    "running_spread",
    "running_var",
    "running_var_spread",
)
MATRIX = (*DISTRIBUTION, *ROWS, *SPECTRUM)

_MOST_VALUES = 1 << 20  # a standard deviation is then known to 0.1 %
_SVD_SIDE = 256
_PAIR_ROWS = 512


@dataclass(frozen=True)
class RowSample:
    """Rows of a tensor.

    Attributes:
        values (`np.ndarray`): float32 `[rows read, row length]`.
        fan_in (`int`): row length of the whole tensor.
        rows (`int`): rows of the whole tensor.
        kernel (`tuple[int, int]`): spatial size; a row is `[inputs, *kernel]`. `(1, 1)` if there is none.
        aligned (`bool`): whether the rows are whole, so that their columns mean the same.
    """

    values: np.ndarray
    fan_in: int
    rows: int
    kernel: tuple[int, int] = (1, 1)
    aligned: bool = True


def matrix_statistics(sample: RowSample, *, integer: bool = False) -> dict[str, float]:
    """`MATRIX`, and `KERNEL` for kernels, of a sample whose values are finite; what cannot be told is left out.

    Args:
        sample: at least one row.
        integer: whether the values are quantised, so that their scale says nothing.
    """
    values = np.asarray(_thin(sample.values, max(_MOST_VALUES // sample.values.shape[1], 1)), np.float64)
    rms = math.sqrt(float(np.square(values).mean()))
    if rms == 0 or values.size < 2:
        return {}
    found = _distribution(values, sample.fan_in, integer)
    energy = np.square(values).mean(axis=1)
    rows = values[energy > 1e-12 * rms * rms]
    unit = rows / np.sqrt(np.square(rows).mean(axis=1, keepdims=True))
    found |= _row_statistics(values, unit, energy, sample)
    if sample.aligned and min(unit.shape) >= 2:
        found |= _pair_statistics(unit, sample.rows)
        found |= _spectral_statistics(unit)
    if sample.aligned and math.prod(sample.kernel) > 1:
        found |= _kernel_statistics(values, sample.kernel)
    return found


def bias_statistics(bias: np.ndarray, row_norms: np.ndarray | None, *, same_rows: bool = True) -> dict[str, float]:
    """`BIAS` of a layer's finite biases, against the norms of its rows; `same_rows` tells whether these match them."""
    bias = np.asarray(bias, np.float64).ravel()
    rms = math.sqrt(float(np.square(bias).mean())) if bias.size else 0.0
    if rms == 0:
        return {}
    found = {"bias_mean": float(bias.mean()) / rms, "bias_kurtosis": _kurtosis(bias)}
    if row_norms is not None and len(row_norms):
        scale = math.sqrt(float(np.square(row_norms).mean()))
        if scale > 0:
            found["bias_scale"] = math.log(rms / scale + 1e-4)
        if same_rows and len(row_norms) == len(bias):
            found["bias_row_norm"] = _correlation(bias, row_norms)
    return found


def norm_statistics(parts: Mapping[str, np.ndarray]) -> dict[str, float]:
    """`NORM` of a normalisation layer's finite vectors `gain`, `offset`, `mean` and `variance`, as far as there."""
    found: dict[str, float] = {}
    gain, offset = parts.get("gain"), parts.get("offset")
    scale = 1.0
    if gain is not None and gain.size:
        size = np.abs(np.asarray(gain, np.float64))
        scale = math.sqrt(float(np.square(size).mean())) or 1.0
        low, high = np.quantile(size, (0.05, 0.95)) / scale
        found |= {"gain_mean": math.log(scale), "gain_cv": float(size.std()) / scale}
        found |= {"gain_low": float(low) - 1, "gain_high": float(high) - 1}
        found["gain_dead"] = float((size < 0.05 * scale).mean())
    if offset is not None and offset.size:
        found["offset_mean"] = float(offset.mean()) / scale
        found["offset_spread"] = float(offset.std()) / scale
        if gain is not None and gain.shape == offset.shape:
            found["offset_gain"] = _correlation(np.asarray(gain, np.float64), np.asarray(offset, np.float64))
    return found | _running_statistics(parts.get("mean"), parts.get("variance"))


def _running_statistics(mean: np.ndarray | None, variance: np.ndarray | None) -> dict[str, float]:
    found: dict[str, float] = {}
    if variance is None or not variance.size:
        return found
    variance = np.maximum(np.asarray(variance, np.float64), 1e-8)
    logs = np.log(variance)
    found |= {"running_var": float(logs.mean()), "running_var_spread": float(logs.std())}
    if mean is not None and mean.shape == variance.shape:
        relative = np.asarray(mean, np.float64) / np.sqrt(variance)
        found |= {"running_mean": float(np.median(relative)), "running_spread": float(_soft(relative).std())}
    return found


def _distribution(values: np.ndarray, fan_in: int, integer: bool) -> dict[str, float]:
    flat = values.ravel()
    std = float(flat.std())
    if std == 0:
        return {}
    quantiles = (np.quantile(flat, QUANTILES) - flat.mean()) / std - _NORMAL
    found = {f"q{round(100 * q):02d}": float(v) for q, v in zip(QUANTILES, quantiles, strict=True)}
    found["skew"] = math.asinh(float((((flat - flat.mean()) / std) ** 3).mean()))
    found["kurtosis"] = _kurtosis(flat)
    found["sparsity"] = float((np.abs(flat) < 0.01 * std).mean()) * 4
    if not integer:
        found |= {"log_gain": math.log(std * math.sqrt(fan_in)), "log_std": math.log(std / 0.02) / 2}
    return found


def _row_statistics(values: np.ndarray, unit: np.ndarray, energy: np.ndarray, sample: RowSample) -> dict[str, float]:
    length = values.shape[1]
    mean = float(energy.mean())
    logs = np.log(np.maximum(energy / mean, 1e-6)) / 2
    low, high = np.quantile(logs, (0.1, 0.9))
    found = {"row_norm_low": float(low), "row_norm_high": float(high)}
    found["row_norm_cv"] = _excess_cv(energy, 2.0 / length)
    if sample.aligned and length > 1:
        columns = np.square(values).mean(axis=0)
        found["column_norm_cv"] = _excess_cv(columns, 2.0 / len(values))
        low, high = np.quantile(np.sqrt(columns / mean), (0.1, 0.9))
        found["column_norm_range"] = float(high - low)
    if length < 4 or not len(unit):
        return found
    means = unit.mean(axis=1)
    found |= {"row_mean": float(means.mean()) * 2, "row_mean_spread": float(means.std()) * 2}
    sketch = np.quantile(unit, _ROW_QUANTILES, axis=1) - _ROW_NORMAL[:, None]
    for q, line in zip(_ROW_QUANTILES, sketch, strict=True):
        found[f"row_q{round(100 * q):02d}"] = float(line.mean())
        found[f"row_q{round(100 * q):02d}_spread"] = float(line.std())
    fourth = np.log((unit**4).mean(axis=1) / 3)
    return found | {"row_kurtosis": float(fourth.mean()), "row_kurtosis_spread": float(fourth.std())}


def _excess_cv(energy: np.ndarray, chance: float) -> float:
    """How much energies vary beyond the `chance` (squared) variation of as many Gaussian values."""
    mean = float(energy.mean())
    return math.sqrt(max(float(energy.var()) / (mean * mean) - chance, 0.0)) if mean > 0 else 0.0


def _pair_statistics(unit: np.ndarray, rows: int) -> dict[str, float]:
    """Moments of the spectrum from pairs and triples of rows (Kong and Valiant 2017, algorithm 1)."""
    count, length = unit.shape
    chosen = _thin(unit, _PAIR_ROWS) / math.sqrt(length)
    n = len(chosen)
    gram = chosen @ chosen.T
    np.fill_diagonal(gram, 0.0)
    pairs = n * (n - 1)
    first, second = float(gram.sum()) / pairs, float(np.square(gram).sum()) / pairs
    found = {"row_cosine": math.copysign(math.sqrt(abs(first)), first) * 2}
    found["row_alignment"] = math.log(length * second + 1e-3) / 2
    if n > 2 and second > 0:
        third = float(np.sum((gram @ gram) * gram)) / (pairs * (n - 2))
        found["top_direction"] = math.copysign(min(abs(third) / second, 1.0), third) * 2
    columns = np.square(unit).sum(axis=0)
    if count > 2 and (columns > 0).all():
        narrow = _thin((unit / np.sqrt(columns)).T, _PAIR_ROWS)
        gram = narrow @ narrow.T
        off = (float(np.square(gram).sum()) - len(gram)) / max(len(gram) * (len(gram) - 1), 1)
        shared = max((off - 1 / count) / (1 - 1 / count), 0.0)
        found["column_alignment"] = math.log1p(rows * shared) / 2
    return found


def _thin(rows: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows, evenly by their fourth moment: the same ones in whatever order they stand."""
    if len(rows) <= most:
        return rows
    with np.errstate(over="ignore"):
        order = np.argsort(np.einsum("ij,ij,ij,ij->i", rows, rows, rows, rows), kind="stable")
    return rows[order[np.linspace(0, len(rows) - 1, most).round().astype(int)]]


def _spectral_statistics(unit: np.ndarray) -> dict[str, float]:
    """Eigenvalues of the Gram matrix of rows of norm one against Marchenko and Pastur's law (1967)."""
    if min(unit.shape) > _SVD_SIDE:
        unit = _thin(unit, _SVD_SIDE)
    rows, columns = unit.shape
    small, large = min(rows, columns), max(rows, columns)
    gram = (unit @ unit.T if rows <= columns else unit.T @ unit) / large
    values = np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0)
    ratio = small / large
    edge = (1 + math.sqrt(ratio)) ** 2
    found = {
        f"singular_{k}": math.log(max(values[k - 1] / edge, 1e-3)) / 2 if k <= small else 0.0 for k in (1, 2, 4, 8)
    }
    share = values / max(values.sum(), 1e-12)
    entropy = -float((share[share > 0] * np.log(share[share > 0])).sum())
    found["edge_excess"] = float(np.maximum(values - edge, 0).sum() / max(values.sum(), 1e-12)) * 2
    found["rank_deficit"] = math.log(small) - entropy - ratio / 2
    found["bulk"] = math.log(max(float(np.median(values)), 1e-4) / _marchenko_pastur_median(round(ratio, 2))) / 2
    if small >= 8:
        tail = values[: max(small // 8, 4) + 1]
        spread = float(np.log(np.maximum(tail[:-1], 1e-9) / max(tail[-1], 1e-9)).mean())
        found["hill"] = math.log(max(spread, 1e-3)) / 2
    return found


@lru_cache(maxsize=128)
def _marchenko_pastur_median(ratio: float) -> float:
    """Median eigenvalue of a Wishart matrix `X X^T / m`, `X` of unit variance and shape `[ratio m, m]`."""
    ratio = max(ratio, 0.005)
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2
    angle = (np.arange(2000) + 0.5) * math.pi / 2000
    grid = (low + high) / 2 - (high - low) / 2 * np.cos(angle)
    mass = np.cumsum(np.sqrt(np.maximum((high - grid) * (grid - low), 0)) / np.maximum(grid, 1e-9) * np.sin(angle))
    return float(grid[np.searchsorted(mass, mass[-1] / 2)])


def _kernel_statistics(values: np.ndarray, kernel: tuple[int, int]) -> dict[str, float]:
    """How smooth, central and symmetric kernels are, and whether a filter's input channels agree; white noise: 0."""
    height, width = kernel
    kernels = values.reshape(len(values), -1, height, width)
    inputs, area = kernels.shape[1], height * width
    energy = float(np.square(kernels).sum())
    constant = float(np.square(kernels.mean(axis=(2, 3))).sum()) * area / energy
    found = {"dc": (constant - 1 / area) / (1 - 1 / area)}
    if inputs > 1:
        summed = float(np.square(kernels.sum(axis=1)).sum()) / (inputs * energy)
        found["channel_sum"] = (
            (summed - 1 / inputs) / (1 - 1 / inputs) if inputs <= 4 else math.log(inputs * summed) / 2
        )
    found["lag_x"] = _lag(kernels, 1, 3) if width > 1 else 0.0
    found["lag_y"] = _lag(kernels, 1, 2) if height > 1 else 0.0
    if min(kernel) > 2:
        found["lag_2"] = (_lag(kernels, 2, 2) + _lag(kernels, 2, 3)) / 2
        middle = kernels[:, :, (height - 1) // 2 : height // 2 + 1, (width - 1) // 2 : width // 2 + 1]
        found["centre"] = math.log(float(np.square(middle).mean()) * kernels.size / energy + 1e-3) / 2
        found["mirror_x"] = float((kernels * kernels[..., ::-1]).sum()) / energy - (1 / width if width % 2 else 0)
        found["mirror_y"] = float((kernels * kernels[..., ::-1, :]).sum()) / energy - (1 / height if height % 2 else 0)
    return found


def _lag(kernels: np.ndarray, lag: int, axis: int) -> float:
    """Correlation of taps `lag` apart along an axis (about zero, not the mean: a constant kernel is smooth)."""
    length = kernels.shape[axis]
    near = np.take(kernels, range(length - lag), axis)
    far = np.take(kernels, range(lag, length), axis)
    scale = math.sqrt(float(np.square(near).sum()) * float(np.square(far).sum()))
    return float((near * far).sum()) / scale if scale > 0 else 0.0


def _kurtosis(flat: np.ndarray) -> float:
    """Log of the fourth standardised moment over a Gaussian's: -0.51 for a uniform, positive for heavy tails."""
    centred = flat - flat.mean()
    variance = float(np.square(centred).mean())
    return math.log(max(float((centred**4).mean()) / (3 * variance**2), 0.1)) if variance > 0 else 0.0


def _soft(values: np.ndarray) -> np.ndarray:
    return np.arcsinh(values)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = math.sqrt(float(np.square(first).sum()) * float(np.square(second).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 0.0
