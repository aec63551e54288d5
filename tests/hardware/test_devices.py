"""The catalogue, a user's device files, this machine: figures that can be true, names that are found."""

import dataclasses
import json

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.hardware import local_machine
from hf_crosssight.hardware.catalogue import catalogue, figure_sources, find_device
from hf_crosssight.hardware.device import KINDS, impossible_figures
from hf_crosssight.hardware.device_file import load_device_file
from hf_crosssight.hardware.local_machine import local_cpu


def test_the_catalogue_holds_sixty_possible_devices_of_every_kind():
    assert len(catalogue()) >= 60
    assert {device.kind for device in catalogue()} == set(KINDS)
    assert {device.name: impossible_figures(device) for device in catalogue() if impossible_figures(device)} == {}


def test_every_figure_has_a_source_with_an_address():
    fields = {"bandwidth": "bandwidth_gb_s", "memory": "memory_gb", "power_max": "power_max_w", "base": "base_ghz"}
    fields |= {"power_idle": "power_idle_w", "boost": "boost_ghz", "cores": "cores", "year": "year"}
    for device in catalogue():
        stated = {name for name, field in fields.items() if getattr(device, field) is not None}
        stated |= {name for name, rate in device.rates.items() if rate is not None}
        assert stated <= set(device.sources), device.name
        for source in device.sources.values():
            named = [key for key in figure_sources() if key in source]
            assert named, (device.name, source)
            assert figure_sources()[named[0]]["url"].startswith("https://")


@pytest.mark.parametrize(
    ("name", "found"),
    [("rtx4090", "rtx4090"), ("i7_12700h", "i7-12700h"), ("NVIDIA GeForce RTX 3090", "rtx3090"), ("Tesla_T4", "t4")],
)
def test_devices_are_found_under_the_names_of_the_tables(name, found):
    assert find_device(name).name == found


def test_an_unknown_device_offers_the_nearest():
    with pytest.raises(UserError) as raised:
        find_device("rtx4095")
    assert "rtx4090" in raised.value.hint
    assert "hardware list" in raised.value.hint


def test_known_rates_of_white_papers():
    rates = {name: find_device(name).rates["fp16_tensor"] for name in ("rtx3090", "rtx4090", "rtx5090", "rtx-a6000")}
    assert rates == {"rtx3090": 71.2, "rtx4090": 165.15, "rtx5090": 209.5, "rtx-a6000": 154.8}
    assert find_device("i9-10940x").rates["fp32"] == pytest.approx(14 * 64 * 4.6 / 1e3)


def test_boards_and_unmeasured_vendors_are_extrapolated():
    names = ("raspberry-pi-5", "jetson-agx-orin", "mi210", "pixel-6", "graviton3")
    assert all(find_device(name).extrapolated for name in names)
    assert not any(find_device(name).extrapolated for name in ("rtx4090", "epyc-7763", "l4"))


def _file(tmp_path, **changes):
    entry = {"name": "mine", "kind": "board", "rates_tflops": {"fp32": 0.15}, "bandwidth_gb_s": 17, "vendor": "arm"}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(entry | changes))
    return path


def test_a_device_file_is_read_with_its_file_as_source(tmp_path):
    device = find_device(str(_file(tmp_path, power_max_w=12)))
    assert (device.name, device.engine, device.rates["fp32"], device.power_max_w) == ("mine", "cpu", 0.15, 12)
    assert device.sources["fp32"] == "file mine.json"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bandwidth_gb_s": -3}, "bandwidth_gb_s -3 lies outside"),
        ({"rates_tflops": {"fp32": 150000}}, "rates.fp32"),
        ({"bandwidth_gb_s": 0.1, "rates_tflops": {"fp32": 300}}, "do not fit"),
        ({"power_idle_w": 20, "power_max_w": 10}, "power_idle_w 20 is above"),
        ({"bandwidth_gb_s": "fast"}, "is no number"),
        ({"kind": "toaster"}, "kind 'toaster'"),
        ({"bandwidth_gb_s": None}, "does not state bandwidth_gb_s"),
        ({"rates_tflops": {"fp12": 3}}, "rates_tflops.fp12"),
        ({"bandwith": 3}, "bandwith"),
        ({"name": 3}, "must be text"),
    ],
)
def test_impossible_device_files_are_refused_in_words(tmp_path, changes, said):
    with pytest.raises(UserError, match=r".") as raised:
        load_device_file(_file(tmp_path, **changes))
    assert said in raised.value.what
    assert raised.value.hint


def test_broken_device_files_are_refused(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[1]")
    for name in ("broken.json", "list.json", "absent.json"):
        with pytest.raises(UserError):
            load_device_file(tmp_path / name)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"name": "RTX 4090"}, "belongs to a device"), ({"name": "local"}, "belongs to a device"),
     ({"aliases": ["rtx-3090"]}, "belongs to a device"), ({"aliases": "board"}, "list of names"),
     ({"aliases": [3]}, "list of names"), ({"sources": [1]}, "sources must"),
     ({"sources": {"fp32": 3}}, "sources must")],
)  # fmt: skip
def test_a_device_file_takes_nobody_s_name_and_holds_what_it_should(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        load_device_file(_file(tmp_path, **changes))


def test_the_memory_of_this_machine_is_measured_once(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    speeds = iter((31.257, 26.0, 12.0))
    monkeypatch.setattr(local_machine, "_copied_gb_s", lambda: next(speeds))
    asked = []
    for processor in ("one", "one", "other"):
        local_machine._memory_gb_s.cache_clear()  # as in another process
        asked.append(local_machine._memory_gb_s(processor))
    local_machine._memory_gb_s.cache_clear()
    assert asked == [31.3, 31.3, 26.0]


def test_this_machine_tells_its_cores_memory_and_bandwidth():
    device = local_cpu()
    assert device.name == "local"
    assert device.cores >= 1
    assert device.memory_gb > 0.1
    assert device.bandwidth_gb_s > 0.1
    assert dataclasses.replace(device, name="x") != device
