"""The probe view: what a model makes of fifteen small labelled tasks that it was never trained for.

One forward pass over images that come with the project (`probe_tasks`), then statistics of the pooled features:
how well each task's classes can be told apart in them, how many dimensions they use, and how like they are to those
of references. It says how good a model's features are, and for what, without any image of the user, at zoo-building
time only. It is comparable across architectures, which statistics of weights are not.

Source of the idea: results on anchor tasks as a model's description (Achille et al., "Task2Vec", ICCV 2019, and the
relative representations of Moschella et al., ICLR 2023, turned to models).
"""

from __future__ import annotations

import numpy as np

from ..features.extract import BATCH, Features, Progress, extract
from ..features.load import ImageModel
from .probe_references import REFERENCES, reference_grams
from .probe_statistics import (
    SPECTRUM_STATISTICS,
    TASK_STATISTICS,
    centred_gram,
    mean_cka,
    spectrum_of,
    task_statistics,
)
from .probe_tasks import PROBE_TASKS, probe_tasks

PROBE_SPEC = "probe/1"
_OVERALL = (
    "effective rank", "spectrum slope", "first eigenvalue", "log dimension", "log norm", "norm variation",
    "zero share", "dead share", "mean cosine", "kurtosis", "has classes", "log classes", "confidence", "entropy",
    "used classes",
)  # fmt: skip
PROBE_COLUMNS = (
    "valid",
    *(f"{task}: {name}" for task in PROBE_TASKS for name in TASK_STATISTICS),
    *(f"mean over tasks: {name}" for name in (*TASK_STATISTICS, *SPECTRUM_STATISTICS)),
    *(f"likeness to {name}" for name in REFERENCES),
    *_OVERALL,
)
PROBE_SHAPE = (1, len(PROBE_COLUMNS))


def probe_view(model: ImageModel, *, batch: int = BATCH, progress: Progress | None = None) -> np.ndarray:
    """The probe view of a model: float32 `[1, Dp]`, named by `PROBE_COLUMNS`, finite and of order one.

    Args:
        model: from `features.load_image_model`.
        batch: images a forward pass, halved when memory does not suffice.
        progress: called with (step, images done, images).

    Raises:
        UnusableModelError: the model gives no finite features of these images.
        UserError: the installed images are not those that the view is defined on.
    """
    return view_of(extract(model, probe_images(), batch=batch, progress=progress))


def view_of(features: Features) -> np.ndarray:
    """The view `[1, Dp]` of the features of all probe images, in the order of `probe_images`."""
    parts = _by_task(features.pooled)
    tables = [task_statistics(part, task.labels) for part, task in zip(parts, probe_tasks(), strict=True)]
    grams = [centred_gram(part) for part in parts]
    likeness = [mean_cka(grams, others) for others in reference_grams().values()]
    spectra = [spectrum_of(np.linalg.eigvalsh(gram)) for gram in grams]
    values = [1.0, *np.ravel(tables), *np.mean(tables, axis=0), *np.mean(spectra, axis=0), *likeness]
    values += [*_feature_statistics(features.pooled), *_probability_statistics(features.probs)]
    return np.clip(np.asarray([values], dtype=np.float32), -20.0, 20.0)


def probe_images() -> list[np.ndarray]:
    """The images, uint8 `[64, 64, 3]` each, task by task."""
    return [image for task in probe_tasks() for image in task.images]


def _by_task(rows: np.ndarray) -> list[np.ndarray]:
    return np.split(rows, np.cumsum([len(task.labels) for task in probe_tasks()])[:-1])


def _feature_statistics(pooled: np.ndarray) -> list[float]:
    """Spectrum, width, norms, sparsity and shape of all features `[N, D]`."""
    rows = pooled.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1)
    centred = rows - rows.mean(axis=0)
    spread = centred.std(axis=0)
    variance = float((centred**2).sum())
    if variance <= 1e-18 * (float((rows**2).sum()) + 1e-300):
        rank, slope, first, kurtosis = 0.0, 0.0, 1.0, 0.0
    else:
        every = centred[::2] if len(rows) < 2 * rows.shape[1] else centred
        values = np.linalg.eigvalsh(every @ every.T if len(every) < rows.shape[1] else every.T @ every)
        rank, slope = spectrum_of(values)
        first = float(values.max() / values.sum())
        moving = spread > 1e-6 * spread.max()
        kurtosis = float(np.log1p(np.median((centred[:, moving] ** 4).mean(axis=0) / spread[moving] ** 4)))
    mean = rows.mean(axis=0)
    cosine = float(((rows @ mean) / np.maximum(norms * np.linalg.norm(mean), 1e-30)).mean())
    return [
        rank,
        slope,
        first,
        float(np.log2(rows.shape[1])) / 10.0,
        float(np.log10(norms.mean() / np.sqrt(rows.shape[1]) + 1e-6)),
        float(norms.std() / (norms.mean() + 1e-30)),
        float((rows == 0).mean()),
        float((spread <= 1e-6 * (spread.max() + 1e-30)).mean()),
        cosine,
        kurtosis,
    ]


def _probability_statistics(probs: np.ndarray | None) -> list[float]:
    """What its own head says of them: whether there is one, how many classes, how sure, how many used."""
    if probs is None or probs.shape[1] < 2:
        return [0.0] * 5
    rows = probs.astype(np.float64)
    classes = rows.shape[1]
    entropy = -(rows * np.log(np.maximum(rows, 1e-12))).sum(axis=1).mean() / np.log(classes)
    mean = rows.mean(axis=0)
    used = -(mean * np.log(np.maximum(mean, 1e-12))).sum() / np.log(classes)
    return [1.0, float(np.log10(classes)), float(rows.max(axis=1).mean()), float(entropy), float(used)]
