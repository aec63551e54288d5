"""The images that come with the project: enough of every task, balanced, checked before use, and of stated origin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.tokens import probe_references
from hf_crosssight.tokens import probe_tasks as room
from hf_crosssight.tokens.probe_statistics import spectrum_of, task_statistics
from hf_crosssight.tokens.probe_tasks import probe_tasks, read_tasks

ASSETS = Path(room.__file__).parent.parent / "assets"


def test_every_task_is_balanced_and_small():
    tasks = probe_tasks()
    assert len(tasks) == 15
    for task in tasks:
        assert task.images.shape == (120, 64, 64, 3)
        counts = np.bincount(task.labels)
        assert len(counts) <= 12
        assert counts.max() - counts.min() <= 1
        assert len({image.tobytes() for image in task.images}) == 120
        np.testing.assert_array_equal(task.labels, np.arange(120) % len(counts))
    assert sum(path.stat().st_size for path in ASSETS.glob("probe_*")) < 3_000_000


def test_sources_and_licences_stand_in_the_file():
    note = pq.read_schema(ASSETS / "probe_tasks.parquet").metadata[b"sources"].decode()
    for word in ("CC0", "public domain", "OFL 1.1", "Apache-2.0", "scikit-image", "openclipart", "noto"):
        assert word in note


def test_another_file_is_refused(tmp_path, monkeypatch):
    copy = tmp_path / "tasks.parquet"
    copy.write_bytes((ASSETS / "probe_tasks.parquet").read_bytes() + b"x")
    with pytest.raises(UserError, match="not the file"):
        read_tasks(copy, room.SHA256)
    with pytest.raises(UserError, match="cannot be read"):
        read_tasks(tmp_path / "none", room.SHA256)
    monkeypatch.setattr(probe_references, "_FILE", copy)
    with pytest.raises(UserError, match="not the file"):
        probe_references._encoder_features()


def test_accuracies_are_those_of_counting():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 4
    rows = np.eye(4)[labels] + rng.normal(0, 0.6, (60, 4))
    standard = (rows - rows.mean(0)) / rows.std(0)
    unit = standard / np.linalg.norm(standard, axis=1, keepdims=True)
    cosines = unit @ unit.T - 9 * np.eye(60)
    nearest, means, linear = [], [], []
    wanted = np.eye(4)[labels]
    for row in range(60):
        rest = np.arange(60) != row
        nearest.append(labels[cosines[row].argmax()] == labels[row])
        centres = np.stack([standard[rest & (labels == c)].mean(0) for c in range(4)])
        penalty = 0.3 * (standard**2).sum() / 60 * np.eye(4)
        mean = standard[rest].mean(0)
        near = standard[rest] - mean
        weights = np.linalg.solve(near.T @ near + penalty, near.T @ (wanted[rest] - wanted[rest].mean(0)))
        values = (standard[row] - mean) @ weights + wanted[rest].mean(0)
        linear.append(values.argmax() == labels[row])
        means.append(((centres - standard[row]) ** 2).sum(1).argmin() == labels[row])
    found = task_statistics(rows, labels)
    for value, hits in zip(found[:3], (nearest, means, linear), strict=True):
        assert value == pytest.approx((np.mean(hits) - 0.25) / 0.75, abs=0.03)


def test_flat_and_steep_spectra_are_told_apart():
    flat, steep = spectrum_of(np.ones(20)), spectrum_of(1.0 / np.arange(1, 21) ** 2)
    assert flat == pytest.approx((np.log(20) / 4, 0))
    assert steep[0] < flat[0]
    assert steep[1] == pytest.approx(-1)
    assert spectrum_of(np.zeros(4)) == (0.0, 0.0)
