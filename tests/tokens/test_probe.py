"""The probe view: deterministic, of order one, better for a network that sees something than for one that does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hf_crosssight.features import Features, UnusableModelError, load_image_model
from hf_crosssight.tokens import probe
from hf_crosssight.tokens.probe import PROBE_COLUMNS, PROBE_SHAPE, PROBE_TASKS, probe_images, probe_view, view_of
from hf_crosssight.tokens.probe_references import gradients, pixels, reference_grams
from hf_crosssight.tokens.probe_tasks import probe_tasks
from tests.features.networks import write_vit


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return load_image_model(write_vit(tmp_path_factory.mktemp("models") / "vit"))


def column(view, name):
    return float(view[0, PROBE_COLUMNS.index(name)])


def test_a_view_has_its_shape_and_is_the_same_each_time(vit):
    told = []
    view = probe_view(vit, progress=lambda *step: told.append(step))
    assert view.shape == PROBE_SHAPE == (1, len(set(PROBE_COLUMNS)))
    assert view.dtype == np.float32
    assert np.isfinite(view).all()
    assert np.abs(view).max() < 20
    assert view[0, 0] == 1
    assert told[-1] == ("computing image features", len(probe_images()), len(probe_images()))
    np.testing.assert_allclose(probe_view(vit, batch=50), view, atol=1e-4)
    np.testing.assert_array_equal(probe_view(vit), view)
    assert np.abs(view.astype(np.float16) - view).max() < 2e-3


def test_gradients_tell_more_than_noise_and_labels_tell_most():
    rng = np.random.default_rng(0)
    images = np.stack(probe_images())
    labels = np.concatenate([task.labels for task in probe_tasks()])
    noise = view_of(Features(rng.normal(size=(len(images), 64)).astype(np.float32), None))
    seen = view_of(Features(gradients(images).astype(np.float32), None))
    known = np.eye(12)[labels] + 0.01 * rng.normal(size=(len(labels), 12))
    told = view_of(Features(known.astype(np.float32), None))
    for name in ("knn", "nearest mean", "linear", "logme"):
        mean = f"mean over tasks: {name}"
        assert column(noise, mean) < 0.06
        assert column(noise, mean) + 0.1 < column(seen, mean) < column(told, mean)
    assert column(told, "mean over tasks: knn") == pytest.approx(1, abs=1e-3)
    assert column(seen, "likeness to gradients") == pytest.approx(1, abs=1e-6)
    assert column(noise, "likeness to gradients") < 0.4


def test_likeness_to_a_reference_ignores_rotation_and_scale():
    rng = np.random.default_rng(1)
    rows = pixels(np.stack(probe_images()))
    turned = 30 * rows @ np.linalg.qr(rng.normal(size=(192, 192)))[0]
    assert column(view_of(Features(turned.astype(np.float32), None)), "likeness to pixels") == pytest.approx(
        1, abs=1e-4
    )
    assert all(len(grams) == len(PROBE_TASKS) for grams in reference_grams().values())


def test_scale_of_the_features_moves_their_norm_alone():
    rng = np.random.default_rng(2)
    rows = (pixels(np.stack(probe_images())) + 0.1 * rng.normal(size=192)).astype(np.float32)
    first, second = view_of(Features(rows, None)), view_of(Features(100 * rows, None))
    moved = {name for name, a, b in zip(PROBE_COLUMNS, first[0], second[0], strict=True) if abs(a - b) > 1e-4}
    assert moved == {"log norm"}
    assert column(second, "log norm") - column(first, "log norm") == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("width", [1, 3, 300, 3000])
def test_features_of_any_width_and_dead_units_give_a_view(width):
    rng = np.random.default_rng(width)
    rows = np.maximum(rng.normal(size=(len(probe_images()), width)), 0)
    rows[:, :: max(2, width // 2)] = 0
    view = view_of(Features(rows.astype(np.float32), None))
    assert np.isfinite(view).all()
    if width > 2:
        assert column(view, "dead share") == pytest.approx((~rows.any(axis=0)).mean())
        assert column(view, "zero share") == pytest.approx((rows == 0).mean(), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 1e-30, 7.0, 1e30])
def test_constant_features_know_nothing(value):
    view = view_of(Features(np.full((len(probe_images()), 16), value, np.float32), None))
    assert np.isfinite(view).all()
    assert not view[0, 1 : 1 + 5 * len(PROBE_TASKS)].any()


def test_the_head_is_described_only_if_it_was_trained(vit):
    view, bare = probe_view(vit), replace(vit, network=replace(vit.network, classifies=False))
    assert column(view, "has classes") == 1
    assert column(view, "log classes") == pytest.approx(np.log10(3))
    assert 1 / 3 <= column(view, "confidence") <= 1
    assert 0 < column(view, "entropy") <= 1
    headless = probe_view(bare)
    assert not headless[0, PROBE_COLUMNS.index("has classes") :].any()
    np.testing.assert_array_equal(headless[0, :-5], view[0, :-5])


def test_a_model_that_breaks_on_the_images_has_no_view(vit, monkeypatch):
    def broken(images):
        return {"pixel_values": [np.full((3, 32, 32), np.nan)] * len(images)}

    monkeypatch.setattr(vit.preprocessing, "_processor", broken)
    with pytest.raises(UnusableModelError, match="not finite"):
        probe_view(vit)


def test_columns_name_every_task_and_reference():
    assert PROBE_COLUMNS[0] == "valid"
    assert {task.name for task in probe_tasks()} == set(PROBE_TASKS)
    assert sum(name.startswith("likeness to ") for name in PROBE_COLUMNS) == 4
    assert probe.PROBE_SPEC == "probe/1"
