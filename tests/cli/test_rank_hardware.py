"""`rank --device ...` from end to end: figures in every format, limits, the front and its picture, two-line errors."""

import csv
import io
import json

import pytest
from PIL import Image

from hf_crosssight.cli.entry import main


@pytest.fixture
def rank(capsys):
    """Runs `rank` on the digits; returns (exit code, stdout, last two lines of stderr)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main(["rank", "--dataset", "digits", "--offline", *map(str, arguments)])
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err.strip().splitlines()[-2:]

    return run


def test_figures_limits_and_counts_stand_in_the_json(rank):
    code, out, _ = rank("--device", "i7-12700h", "--max-latency-ms", 30, "--max-params", "30M", "--format", "json")
    assert code == 0
    ranking = json.loads(out)
    assert list(ranking["zoo"]["rejected"]) == [
        "max_params",
        "max_params_unknown",
        "max_latency_ms",
        "max_latency_ms_unknown",
    ]
    zoo = ranking["zoo"]
    assert zoo["num_models"] == zoo["num_candidates"] + sum(zoo["rejected"].values())
    for item in ranking["recommendations"]:
        hardware = item["hardware"]
        assert hardware["device"] == "i7-12700h"
        assert hardware["latency_ms"] <= hardware["latency_ms_high"] <= 30
        assert hardware["source"] in ("measured", "predicted")
        assert hardware["throughput"] == pytest.approx(1e3 / hardware["latency_ms"], rel=2e-3)
        assert hardware["cpu_temperature_c"] is None
    assert "pareto" not in ranking


def test_the_front_is_printed_and_drawn(rank, tmp_path):
    picture = tmp_path / "front.png"
    arguments = ("--device", "raspberry-pi-5", "--prefer", "latency_ms=0.07", "--pareto-png", picture)
    code, out, _ = rank(*arguments, "--format", "human", "--top", 3)
    assert code == 0
    assert "Pareto front: score against latency_ms on raspberry-pi-5" in out
    assert "extrapolated" in out
    assert Image.open(picture).size[0] >= 800
    code, out, _ = rank(*arguments, "--format", "json")
    front = json.loads(out)["pareto"]["front"]
    scores, costs = ([point[name] for point in front] for name in ("score", "latency_ms"))
    assert scores == sorted(scores)
    assert costs == sorted(costs)
    best = json.loads(out)["recommendations"][0]
    assert best["hardware"]["pareto"]


def test_tables_have_the_costs(rank):
    code, out, _ = rank("--device", "rtx4090", "--format", "csv", "--top", 2)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["device"] for row in rows} == {"rtx4090"}
    assert all(float(row["latency_ms"]) > 0 for row in rows)
    assert "ms an image" in rank("--device", "rtx4090", "--format", "markdown", "--top", 2)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--device", "rtx4095"), "rtx4090"),
        (("--max-memory-mb", 5), "--device local"),
        (("--device", "rtx4090", "--max-latency-ms", "1e-6"), "% over"),
        (("--device", "rtx4090", "--prefer", "speed=1"), "latency_ms"),
        (("--device", "rtx4090", "--method", "fusion", "--ranker", "bundled", "--prefer", "latency=1"), "shadow"),
        (("--device", "no-such-file.json"), "JSON"),
        (("--device", "rtx4090", "--min-params", "2M", "--max-params", "1M"), "min-params"),
    ],
)
def test_bad_wishes_are_two_lines_and_code_2(rank, arguments, said):
    code, out, lines = rank(*arguments)
    assert (code, out) == (2, "")
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert said in "\n".join(lines)


def test_a_device_file_with_an_impossible_figure_is_refused(rank, tmp_path):
    board = tmp_path / "board.json"
    board.write_text('{"name": "b", "kind": "board", "rates_tflops": {"fp32": 9e9}, "bandwidth_gb_s": 10}')
    code, _, lines = rank("--device", board)
    assert code == 2
    assert "rates.fp32 9e+09 lies outside" in lines[0]


def test_a_picture_that_cannot_be_written_is_the_user_s_input(rank, tmp_path):
    code, out, lines = rank("--device", "rtx4090", "--pareto", "--pareto-png", "/proc/front.png")
    assert code == 2
    assert out == ""
    assert lines[0].startswith("error:")
