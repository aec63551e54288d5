"""Predictions from structure: they scale as the physics does, know what they do not know, and follow anchors."""

import dataclasses
import json
import time

import numpy as np
import pyarrow as pa
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.anchors import Anchor, Anchors, anchors_of, read_anchors
from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.model_shape import COSTS, ModelShapes, shared_shapes, zoo_shapes
from hf_crosssight.hardware.predict import predict_costs
from hf_crosssight.hardware.roofline import arithmetic_rate, least_times, plain_roofline
from hf_crosssight.hardware.utilisation import load_utilisations
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.open import open_zoo


@pytest.fixture(scope="module")
def zoo():
    return open_zoo("starter")


@pytest.fixture(scope="module")
def shapes(zoo):
    return zoo_shapes(zoo)


@pytest.fixture(scope="module")
def known(shapes):
    return shapes.take(shapes.known)


def test_models_share_a_shape_only_where_costs_and_structure_are_the_same(zoo):
    rows = np.resize(np.arange(60), 150)
    many = zoo.take(rows)
    structure = many.views["structure"].copy()
    structure[70, 0, -1] += 1  # one copy is made up otherwise, with the same costs
    changed = ZooIndex("changed", many.table, {"structure": structure}, {"structure": many.view_mask["structure"]})
    for held, most in ((many, 60), (changed, 61)):
        shapes, shape_of = shared_shapes(held)
        whole, found = zoo_shapes(held), shapes.take(shape_of)
        assert len(shapes) <= most
        for name in COSTS:
            np.testing.assert_array_equal(getattr(found, name), getattr(whole, name))
        np.testing.assert_array_equal(found.summary, whole.summary)
    assert len(shared_shapes(changed)[0]) == len(shared_shapes(many)[0]) + 1
    assert len(shared_shapes(zoo.take([]))[0]) == 0


def test_networks_of_transformers_take_more_memory_than_timms(zoo):
    rows = [row for row, library in enumerate(zoo.column("library").to_pylist()) if library == "timm"][:3]
    assert len(shared_shapes(zoo.take(rows))[0]) == 2  # two of them have one shape
    timm = zoo.take(rows * 2)
    libraries = pa.array(["timm"] * 3 + ["transformers"] * 3)
    place = timm.table.column_names.index("library")
    mixed = ZooIndex("mixed", timm.table.set_column(place, "library", libraries), timm.views, timm.view_mask)
    shapes, shape_of = shared_shapes(mixed)
    assert len(shapes) == 4  # the library is part of what is shared
    memory = predict_costs(shapes.take(shape_of), find_device("i7-12700h"), batch_size=8).memory_mb.value
    assert (memory[3:] > memory[:3]).all()
    counted = dataclasses.replace(shapes.take(shape_of), live_bytes=np.full(6, 1e7))
    memory = predict_costs(counted, find_device("i7-12700h"), batch_size=8).memory_mb.value
    np.testing.assert_array_equal(memory[3:], memory[:3])


def test_terms_of_the_roofline_are_work_over_rates(known):
    device = find_device("i9-10940x")
    times = least_times(known, device, 1)
    sustained = 14 * 64 * 4.6e9 * (3.3 / 4.6) ** 0.5
    np.testing.assert_allclose(times[:, 0], 2e12 * known.gmacs / sustained, rtol=1e-4)
    np.testing.assert_allclose(times[:, 2], known.params * 4 / 93.9e9 * 1e3, rtol=1e-9)
    np.testing.assert_allclose(least_times(known, device, 8)[:, 2:], times[:, 2:] / 8)
    assert (plain_roofline(known, device, 1) >= times[:, 1]).all()


def test_a_gpu_sustains_less_than_its_tensor_cores_and_more_than_its_vector_units():
    for name in ("rtx3090", "rtx5090", "a100", "h100"):
        device = find_device(name)
        rates = device.rates
        assert rates["fp32"] < arithmetic_rate(device) / 1e12 < rates["fp16_tensor"]


def test_timings_of_the_starter_zoo_are_met_on_the_devices_that_measured_them(zoo, shapes):
    for name, limit in (("rtx4090", 0.2), ("rtx5090", 0.2), ("i7-12700h", 0.2), ("i9-10940x", 0.25)):
        costs = predict_costs(shapes, find_device(name))
        plain = name.replace("-", "_")
        measured = [(zoo.hardware(row) or {}).get(plain, {}).get("throughput", np.nan) for row in range(len(zoo))]
        ratio = costs.throughput / np.array(measured, float)
        ratio = ratio[np.isfinite(ratio)]
        assert len(ratio) > 500
        assert np.median(np.abs(ratio - 1)) < limit


def test_intervals_hold_the_value_and_unknown_models_have_none(shapes):
    costs = predict_costs(shapes, find_device("rtx3060"))
    known = shapes.known
    assert 0 < (~known).sum() < len(known)
    for found in (costs.latency_ms, costs.memory_mb, costs.energy_j):
        assert (found.low[known] <= found.value[known]).all()
        assert (found.value[known] <= found.high[known]).all()
        assert np.isnan(found.value[~known]).all()
    row = int(np.flatnonzero(~known)[0])
    assert costs.hardware(row)["latency_ms"] is None
    assert costs.hardware(row)["source"] is None


@pytest.mark.parametrize("engine", ["gpu", "cpu"])
def test_the_network_in_place_is_the_network_as_it_is_written_down(known, engine):
    learned = load_utilisations()[engine]
    scaled, times = learned.scaled(known.features()), least_times(known, find_device("rtx4090"), 8)
    settings = np.array([1, 0, 1, 0], np.float32)
    inputs = np.concatenate([scaled, np.tile(settings, (len(scaled), 1))], axis=1)
    logs = []
    for member, gain in enumerate(learned.gain):
        (first, one), (second, two), (last, three) = ((w[member], b[member]) for w, b in learned.layers)
        hidden = np.maximum(np.maximum(inputs @ first + one, 0) @ second + two, 0)
        logs.append(np.log((np.exp(np.tanh(hidden @ last + three) + gain) * times).sum(axis=1)))
    np.testing.assert_allclose(learned.log_latency(scaled, times, settings), np.mean(logs, axis=0), atol=1e-4)
    each = np.tile(settings, (len(scaled), 1))
    np.testing.assert_allclose(learned.log_latency(scaled, times, each), np.mean(logs, axis=0), atol=1e-4)


def test_boards_are_extrapolated_with_wider_intervals(known):
    ratios = {}
    for name in ("i7-12700h", "epyc-7763", "raspberry-pi-5"):
        costs = predict_costs(known, find_device(name))
        ratios[name] = float(np.median(costs.latency_ms.high / costs.latency_ms.low))
        assert costs.source == ("extrapolated" if name == "raspberry-pi-5" else "predicted")
    assert ratios["i7-12700h"] < ratios["epyc-7763"] < ratios["raspberry-pi-5"]


def test_a_slower_device_takes_longer(known):
    def latency(name):
        return predict_costs(known, find_device(name), batch_size=64).latency_ms.value

    assert (latency("rtx3050") > latency("rtx5090")).all()
    assert np.median(latency("raspberry-pi-4") / latency("i9-10940x")) > 5


def test_energy_lies_between_idle_and_rated_power(known):
    device = find_device("raspberry-pi-4")
    costs = predict_costs(known, device)
    watts = costs.energy_j.value / costs.latency_ms.value * 1e3
    assert (watts >= device.power_idle_w - 1e-9).all()
    assert (watts <= device.power_max_w + 1e-9).all()
    assert np.isnan(predict_costs(known, find_device("graviton3")).energy_j.value).all()


def test_training_takes_more_time_and_memory(known):
    for name in ("rtx3090", "i7-12700h"):
        device = find_device(name)
        infer, train = (predict_costs(known, device, batch_size=32, phase=p) for p in ("infer", "train"))
        assert np.median(train.latency_ms.value / infer.latency_ms.value) > 2
        assert (train.memory_mb.value > infer.memory_mb.value).all()


def _anchors(known, device, factor, count=8):
    rows = np.arange(0, len(known), len(known) // count)[:count]
    chosen = known.take(rows)
    truth = predict_costs(chosen, device).latency_ms.value * factor
    batch = np.full(count, predict_costs(chosen, device).batch_size, float)
    return Anchors(chosen, truth, batch)


def test_anchors_carry_a_device_that_is_slower_than_its_figures(known):
    device = find_device("epyc-7763")
    before = predict_costs(known, device)
    after = predict_costs(known, device, anchors=_anchors(known, device, 1.6))
    assert np.median(after.latency_ms.value / before.latency_ms.value) == pytest.approx(1.6, rel=0.1)
    width_before = np.median(before.latency_ms.high / before.latency_ms.low)
    assert np.median(after.latency_ms.high / after.latency_ms.low) < width_before


def test_anchors_of_a_board_end_the_extrapolation(known):
    device = find_device("raspberry-pi-5")
    assert predict_costs(known, device, anchors=_anchors(known, device, 2.0)).source == "predicted"


@pytest.mark.parametrize(("options", "said"), [({"phase": "dream"}, "phase"), ({"batch_size": 0}, "batch of 0")])
def test_wrong_options_are_refused(known, options, said):
    with pytest.raises(UserError, match=said):
        predict_costs(known, find_device("rtx4090"), **options)


def test_a_device_without_figures_is_refused_in_words(known, tmp_path):
    import dataclasses

    device = find_device("rtx4090")
    with pytest.raises(UserError, match="bandwidth"):
        predict_costs(known, dataclasses.replace(device, bandwidth_gb_s=None))
    with pytest.raises(UserError, match="how fast"):
        predict_costs(known, dataclasses.replace(device, rates={}))


def test_anchor_files_are_read_and_checked(tmp_path):
    table = tmp_path / "anchors.csv"
    table.write_text("model_id,latency_ms,batch_size\na/b,12.5,2\nc/d,3,\n")
    assert read_anchors(table) == (Anchor("a/b", 12.5, 2), Anchor("c/d", 3.0, 1))
    measured = tmp_path / "measured.json"
    measured.write_text(json.dumps({"measurements": [{"model_id": "a/b", "latency_ms": 2.0, "batch_size": 1}]}))
    assert read_anchors(measured) == (Anchor("a/b", 2.0, 1),)
    for text in ('[{"model_id": "a"}]', '[{"model_id": "a", "latency_ms": -1}]', "[]", "{", "3"):
        measured.write_text(text)
        with pytest.raises(UserError):
            read_anchors(measured)


def test_too_many_anchors_are_refused(known):
    with pytest.raises(UserError, match="more than 20"):
        anchors_of([Anchor("a", 1.0)] * 21, known.take(np.arange(21)))


def test_a_hundred_thousand_models_take_a_fraction_of_a_second(known):
    rows = np.resize(np.arange(len(known)), 100_000)
    many = ModelShapes(*(getattr(known, name)[rows] for name in ("params", "gmacs", "macts", "input_size", "summary")))
    device = find_device("rtx4090")
    predict_costs(known, device)
    seconds = []
    for _ in range(3):
        begun = time.process_time()
        costs = predict_costs(many, device)
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 1.0
    np.testing.assert_allclose(
        costs.latency_ms.value[: len(known)], predict_costs(known, device).latency_ms.value, rtol=1e-3
    )
