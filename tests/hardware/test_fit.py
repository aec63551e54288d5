"""Learning from timings of a made-up world whose law is known: it is found, and intervals hold what they state."""

import dataclasses

import numpy as np
import pytest

from hf_crosssight.hardware.fit import (
    Timings,
    conformal_factors,
    device_levels,
    family_folds,
    fit_spread,
    fit_utilisation,
    leave_devices_out,
    level_of,
    residuals_of,
    settings_array,
)
from hf_crosssight.hardware.model_shape import FEATURE_DIM
from hf_crosssight.hardware.residuals import Spread, condition, conformal_factor
from hf_crosssight.hardware.utilisation import Utilisation, load_utilisations, save_utilisations


@pytest.fixture(scope="module")
def world():
    """Three devices of other speeds that run the same 400 models; the second term counts double for every model."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, FEATURE_DIM)).astype(np.float32)
    work = np.exp(rng.normal(size=(400, 4)))
    parts = []
    for device, speed in (("a", 1.0), ("b", 3.0), ("c", 8.0)):
        times = work / speed / np.array([1.0, 2.0, 50.0, 50.0])
        truth = np.log(times[:, 0] + 2 * times[:, 1] + times[:, 2:].sum(axis=1)) + rng.normal(0, 0.05, 400)
        names = np.full(400, device)
        families = np.array([f"f{number % 20}" for number in range(400)])
        rates, settings = np.full((400, 2), np.log(speed)), settings_array(compiled=np.zeros(400, bool))
        parts.append(Timings(features, times, rates, settings, truth, names, names, families))
    joined = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in dataclasses.fields(Timings)}
    return Timings(**joined)


def test_what_a_device_sustains_may_grow_less_than_its_rates(world):
    slower = dataclasses.replace(world, log_latency=world.log_latency + 0.2 * world.log_rates[:, 0])
    fourth = dataclasses.replace(
        slower.take(slower.device == "b"), device=np.full(400, "d"), run=np.full(400, "d"),
        times=slower.times[slower.device == "b"] / 1.5, log_rates=slower.log_rates[slower.device == "b"] + np.log(1.5),
    )  # fmt: skip
    fourth = dataclasses.replace(fourth, log_latency=fourth.log_latency - 0.8 * np.log(1.5))
    learned = fit_utilisation(slower, epochs=40)
    assert learned.rates[0, 0] + learned.rates[0, 1] > 0.1
    assert abs(np.median(residuals_of(learned, fourth))) < 0.06
    plain = dataclasses.replace(learned, rates=np.zeros((4, 2), np.float32))
    assert abs(np.median(residuals_of(plain, fourth))) > abs(np.median(residuals_of(learned, fourth)))
    far = learned.rate_factors(np.array([100.0, 100.0]))  # beyond what was seen, rates count as they are rated
    np.testing.assert_allclose(far, learned.rate_factors(learned.rates[2]))
    pair = fit_utilisation(slower.take(slower.device != "b"), epochs=2)
    assert not pair.rates[0].any()


def test_the_law_of_a_left_out_device_is_found(world):
    held = world.device == "c"
    learned = fit_utilisation(world.take(~held), members=1, epochs=40)
    residuals = residuals_of(learned, world.take(held))
    assert np.median(np.abs(residuals)) < 0.12
    roofline = world.log_latency[held] - np.log(world.times[held].sum(axis=1))
    assert np.median(np.abs(residuals)) < 0.5 * np.median(np.abs(roofline))


def test_a_device_that_is_slower_than_its_figures_gets_its_own_level(world):
    slower = dataclasses.replace(world, log_latency=world.log_latency + 0.4 * (world.device == "b"))
    learned = fit_utilisation(world, members=1, epochs=20)
    levels = device_levels(learned, slower)
    own = slower.take(slower.device == "b")
    assert np.median(residuals_of(learned, own)) == pytest.approx(0.4, abs=0.1)
    assert np.median(residuals_of(learned, own) - level_of(learned, levels, own)) == pytest.approx(0.0, abs=0.03)


def test_families_are_held_out_whole(world):
    folds = family_folds(world.family, 4)
    assert np.stack(folds).sum(axis=0).tolist() == [1] * len(world)
    for fold in folds:
        assert not set(world.family[fold]) & set(world.family[~fold])


def test_intervals_hold_what_they_state_on_left_out_devices(world):
    left = leave_devices_out(world, members=1, epochs=20)
    spread = fit_spread(left, draws=1)
    factors = conformal_factors(spread, left)
    held = np.abs(left.residuals) <= factors["unseen"][0] * spread.prior_deviation(left.scaled)
    assert held.mean() == pytest.approx(0.9, abs=0.03)
    assert len(factors["anchored"]) == 5


def test_conditioning_is_that_of_a_gaussian_process():
    rng = np.random.default_rng(1)
    spread = Spread(0.3, 0.2, 0.1, 1.0, 0.05)
    anchors, models = rng.normal(size=(5, 8)), rng.normal(size=(6, 8))
    residuals = rng.normal(size=5)
    mean, deviation = condition(spread, anchors, residuals, models)
    everything = np.concatenate([anchors, models])
    joint = spread.covariance(everything, everything) + spread.noise**2 * np.eye(11)
    gain = joint[5:, :5] @ np.linalg.inv(joint[:5, :5])
    np.testing.assert_allclose(mean, gain @ residuals)
    np.testing.assert_allclose(deviation**2, np.diag(joint[5:, 5:] - gain @ joint[:5, 5:]))
    assert (deviation < spread.prior_deviation(models)).all()


def test_the_conformal_factor_is_the_rank_that_split_conformal_asks_for():
    scores = np.arange(1.0, 20.0)  # 19 of them: the ceil(20 x 0.9) = 18th
    assert conformal_factor(-scores, np.ones(19)) == 18.0
    assert conformal_factor(2 * scores, np.full(19, 2.0), 0.5) == 10.0


def test_what_was_learned_is_saved_and_read(tmp_path, world):
    learned = fit_utilisation(world.take(np.arange(100)), members=2, epochs=2)
    learned = dataclasses.replace(learned, device_level={"a": np.ones(1 + FEATURE_DIM, np.float32)})
    save_utilisations({"gpu": learned}, tmp_path / "learned.safetensors")
    found = load_utilisations(tmp_path / "learned.safetensors")["gpu"]
    assert isinstance(found, Utilisation)
    np.testing.assert_allclose(residuals_of(found, world), residuals_of(learned, world), atol=5e-3)
    assert found.device_level["a"].tolist() == [1.0] * (1 + FEATURE_DIM)


def test_the_bundled_predictor_is_small_and_complete():
    from hf_crosssight.hardware.utilisation import PREDICTOR

    assert PREDICTOR.stat().st_size < 500_000
    learned = load_utilisations()
    assert set(learned) == {"gpu", "cpu", "gpu-train"}
    assert set(learned["gpu"].device_level) == {"rtx3090", "rtx4090", "rtx5090", "pro6000maxq"}
    for one in learned.values():
        assert set(one.conformal) == {"unseen", "anchored", "listed"}
        assert all((values > 0).all() for values in one.conformal.values())
