"""What a device can run within limits: whom they reject and why, what counts beside accuracy, what was measured."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hardware import measurements
from hf_crosssight.hardware.affordable import affordable
from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.measurements import kept, zoo_latency
from hf_crosssight.hardware.model_shape import zoo_shapes
from hf_crosssight.hardware.request import hardware_request
from hf_crosssight.zoo.filters import Constraints, select
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.open import open_zoo


@pytest.fixture(scope="module")
def zoo():
    return open_zoo("starter")


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    path = tmp_path / "measurements.jsonl"
    monkeypatch.setattr(measurements, "_store", lambda: path)
    return path


def within(zoo, device="i7-12700h", constraints=None, **options):
    return affordable(hardware_request(device, **options), zoo, select(zoo, constraints or Constraints()))


def test_limits_act_on_the_upper_end_and_count_each_model_once(zoo):
    found = within(zoo, max_latency_ms=40, max_memory_mb="120", constraints=Constraints(max_params=10**8))
    assert (found.costs.latency_ms.high <= 40).all()
    assert (found.costs.memory_mb.high <= 120).all()
    rejected = found.selection.rejected
    assert list(rejected)[:1] == ["max_params"]
    assert {"max_latency_ms", "max_latency_ms_unknown", "max_memory_mb"} <= set(rejected)
    assert len(zoo) == len(found.zoo) + sum(rejected.values())
    assert [zoo.model_ids[row] for row in found.selection.indices] == list(found.zoo.model_ids)


def test_without_limits_models_of_unknown_cost_stay(zoo):
    found = within(zoo, device="epyc-9654")
    assert len(found.zoo) == len(zoo)
    row = int(np.flatnonzero(~np.isfinite(found.costs.latency_ms.value))[0])
    said = found.hardware(row, found.front(np.zeros(len(zoo))))
    assert said["source"] is None
    assert said["latency_ms"] is None
    assert not said["pareto"]


def test_what_a_device_cannot_hold_is_rejected_without_being_tried(zoo):
    rejected = within(zoo, device="jetson-nano", phase="train", batch_size=32).selection.rejected
    assert set(rejected) == {"device_memory"}
    assert 0 < rejected["device_memory"] < len(zoo)


def test_a_budget_that_nothing_meets_names_the_closest_and_by_how_much(zoo):
    with pytest.raises(UserError) as raised:
        within(zoo, max_latency_ms=0.5)
    assert "None of 2019 models is within --max-latency-ms 0.5" in raised.value.what
    assert "% over" in raised.value.what
    assert "Loosen the limits by" in raised.value.hint


def test_the_closest_model_is_named_for_the_limit_that_turned_it_away(zoo):
    timed = np.flatnonzero(np.isfinite(zoo_latency(zoo, find_device("rtx4090"), 256)))[:20]
    some = zoo.take(timed)
    columns = ["gmacs", "macts"]
    table = some.table
    for name in columns:
        nothing = pa.nulls(len(some), table.schema.field(name).type)
        table = table.set_column(table.column_names.index(name), name, nothing)
    bare = ZooIndex("bare", table, some.views, some.view_mask)  # timed, of unknown memory
    latency = zoo_latency(bare, find_device("rtx4090"), 256)
    with pytest.raises(UserError) as raised:
        within(bare, device="rtx4090", max_latency_ms=float(latency.min() / 2))
    assert "memory" not in raised.value.what
    assert f"Closest: {bare.model_ids[int(latency.argmin())]} " in raised.value.what
    assert "100 % over" in raised.value.what


def test_a_device_that_is_too_small_is_not_blamed_on_limits(zoo, tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps({
        "name": "tiny", "kind": "board", "rates_tflops": {"fp32": 0.1}, "bandwidth_gb_s": 5, "memory_gb": 0.05,
    }))  # fmt: skip
    shapes = zoo_shapes(zoo)
    large = zoo.take(shapes.known & (shapes.params > 3e7))
    for limits in ({}, {"max_latency_ms": 1e9}):  # the second is kept by every model
        with pytest.raises(UserError) as raised:
            within(large, device=str(path), **limits)
        assert "the device's memory" in raised.value.what
        assert "Loosen" not in raised.value.hint


def test_a_zoo_s_timings_go_before_predictions(zoo):
    found = within(zoo, device="rtx4090")
    row = zoo.model_ids.index("timm/resnet50.a1_in1k")
    timed = zoo.hardware(row)["rtx4090"]["throughput"]
    here = list(found.zoo.model_ids).index("timm/resnet50.a1_in1k")
    said = found.costs.hardware(here)
    assert said["source"] == "measured"
    assert said["throughput"] == pytest.approx(timed, rel=1e-3)
    assert said["latency_ms"] == said["latency_ms_high"] == pytest.approx(1e3 / timed, rel=1e-3)
    assert within(zoo, device="rtx4080").costs.hardware(here)["source"] == "predicted"
    assert within(zoo, device="raspberry-pi-5").costs.hardware(here)["source"] == "extrapolated"


def test_timings_of_another_batch_do_not_count(zoo):
    assert np.isfinite(zoo_latency(zoo, find_device("rtx4090"), 1)).sum() > 1000
    assert not np.isfinite(zoo_latency(zoo, find_device("rtx4090"), 1, usual=False)).any()
    assert np.isfinite(zoo_latency(zoo, find_device("i7-12700h"), 1)).sum() > 1000


def _row(model_id, milliseconds, **more):
    row = {"model_id": model_id, "device": "Intel(R) Core(TM) i9-13900K", "phase": "infer", "batch_size": 1,
           "threads": 24, "latency_ms": milliseconds, "latency_low_ms": milliseconds * 0.9,
           "latency_high_ms": milliseconds * 1.2, "memory_mb": 99.0}  # fmt: skip
    return json.dumps(row | more) + "\n"


def test_own_measurements_go_first_and_sharpen_the_rest(zoo, store):
    before = within(zoo, device="i9-13900k").costs
    row, other = (zoo.model_ids.index(name) for name in ("timm/resnet50.a1_in1k", "timm/resnet34.a1_in1k"))
    slow = 3 * before.latency_ms.value[row]
    cut = _row("timm/resnet18.a1_in1k", 1.0)[:-20]
    store.write_text(_row("timm/resnet50.a1_in1k", slow) + _row("timm/resnet50.a1_in1k", 1.0, phase="train") + cut)
    assert len(kept()) == 2  # the line that a kill cut short is passed over
    found = within(zoo, device="i9-13900k")
    said = found.costs.hardware(row)
    assert (said["source"], said["memory_mb"]) == ("measured", 99.0)
    assert said["latency_ms_high"] == pytest.approx(1.2 * slow, rel=1e-3)
    assert found.costs.latency_ms.value[other] > 1.5 * before.latency_ms.value[other]
    assert "sharpened by 1 timings" in " ".join(found.notes)


def test_measurements_on_a_part_of_a_processor_are_not_the_whole_one_s(zoo, store):
    store.write_text(_row("timm/resnet50.a1_in1k", 5.0, threads=2))
    assert within(zoo, device="i9-13900k").costs.measured.sum() == 0


def test_preferences_order_by_the_product_and_scores_alone_without(zoo):
    scores = np.random.default_rng(0).normal(size=len(zoo))
    plain = within(zoo)
    by_score = plain.order(scores[: len(plain.zoo)])
    assert (np.diff(scores[by_score]) <= 1e-6).all()
    assert within(zoo, prefer=["latency_ms=0", "memory=0"]).order(scores).tolist() == by_score.tolist()
    light, heavy = (within(zoo, prefer=[f"latency={w}"]) for w in (0.05, 1))
    first = {name: found.order(scores)[:50] for name, found in (("light", light), ("heavy", heavy))}
    latency = plain.costs.latency_ms.value
    assert latency[first["heavy"]].max() < np.median(latency[first["light"]]) < np.nanmedian(latency)
    assert heavy.front(scores).front[first["heavy"][0]]


def test_a_negative_weight_turns_the_preference_round(zoo):
    level = np.zeros(len(zoo))
    few, many = (within(zoo, prefer=[f"params={w}"]).order(level)[0] for w in (0.1, -0.1))
    params = zoo.table.column("params").to_numpy()
    assert params[few] < params[many]
    assert any("more of it is better" in note for note in within(zoo, prefer=["params=-0.1"]).notes)


def test_an_unknown_metric_counts_as_the_worst_known(zoo):
    found = within(zoo, prefer=["latency_ms=1"])
    unknown = np.flatnonzero(~np.isfinite(found.costs.latency_ms.value))
    order = found.order(np.zeros(len(zoo))).tolist()
    assert min(order.index(row) for row in unknown) > len(zoo) - 2 * len(unknown)


@pytest.mark.parametrize("merge", ["thesis", "copeland"])
def test_the_other_merges_order_too(zoo, merge):
    scores = np.random.default_rng(0).normal(size=len(zoo))
    found = within(zoo, prefer=["latency_ms=0.5", "memory_mb=0"], merge=merge)
    order = found.order(scores)
    assert sorted(order.tolist()) == list(range(len(zoo)))
    assert order.tolist() != within(zoo, prefer=["latency_ms=0.5"]).order(scores).tolist()


def test_the_front_is_of_the_cost_that_matters(zoo):
    scores = np.zeros(len(zoo))
    assert within(zoo).front(scores).metric == "latency_ms"
    assert within(zoo, prefer=["memory=0.1"], max_latency_ms=1e6).front(scores[:1962]).metric == "memory_mb"
    told = within(zoo).front(np.arange(len(zoo), dtype=float)).to_dict()
    costs = [point["latency_ms"] for point in told["front"]]
    assert costs == sorted(costs)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"device": None, "prefer": ["latency=1"]}, "--prefer needs to know"),
        ({"device": None, "pareto": True}, "--pareto needs to know"),
        ({"max_latency_ms": 0}, "--max-latency-ms is 0"),
        ({"max_memory_mb": "much"}, "--max-memory-mb is 'much'"),
        ({"max_energy_j": float("nan")}, "--max-energy-j"),
        ({"max_latency_ms": -5}, "--max-latency-ms is -5"),
        ({"prefer": ["latency"]}, "no METRIC=WEIGHT"),
        ({"prefer": ["latency=heavy"]}, "no METRIC=WEIGHT"),
        ({"prefer": ["latency=nan"]}, "no METRIC=WEIGHT"),
        ({"prefer": ["colour=1"]}, "'colour' is no metric"),
        ({"prefer": ["carbon_g=1"]}, "measured, never predicted"),
        ({"prefer": ["latency=1", "latency_ms=2"]}, "twice"),
        ({"method": "magic"}, "shadow or fusion"),
        ({"merge": "borda"}, "--merge 'borda'"),
        ({"phase": "dream"}, "--phase 'dream'"),
        ({"batch_size": 0}, "--batch-size is 0"),
        ({"method": "fusion", "prefer": ["latency=1"]}, "nothing to merge"),
        ({"merge": "copeland"}, "no cost is preferred"),
        ({"device": "graviton3", "max_energy_j": 1}, "power of AWS Graviton3"),
    ],
)
def test_wrong_wishes_are_refused_in_words(options, said):
    with pytest.raises(UserError) as raised:
        hardware_request(**{"device": "rtx4090", **options})
    assert said in f"{raised.value.what} {raised.value.hint}"


def test_costs_are_taken_with_their_models(zoo):
    costs = within(zoo, device="rtx3090").costs
    rows = np.array([5, 2])
    taken = costs.take(rows)
    assert taken.hardware(0) == costs.hardware(5)
    assert len(taken) == 2
    assert dataclasses.replace(taken, measured=None).source_of(1) == "predicted"
