"""The output sink: every format, and hostile names in them."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from hf_crosssight.cli.output import Format, human_size, print_error, print_ranking
from hf_crosssight.errors import UserError
from tests.test_recommendation import make_ranking


def test_json_is_the_contract(capsys):
    print_ranking(make_ranking(), Format.json)
    assert json.loads(capsys.readouterr().out) == make_ranking().to_dict()


def test_auto_is_json_when_stdout_is_no_terminal(capsys):
    print_ranking(make_ranking(), Format.auto)
    assert json.loads(capsys.readouterr().out)["schema_version"] == 1


def test_csv_reads_back(capsys):
    print_ranking(make_ranking(why=('quotes " and, commas',)), Format.csv)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["model_id"] for row in rows] == ["org/model|0", "org/model|1"]
    assert rows[0]["why"] == 'quotes " and, commas'
    assert rows[1]["params"] == ""


def test_markdown_escapes_pipes_so_that_columns_stay(capsys):
    print_ranking(make_ranking(), Format.markdown)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert "org/model\\|0" in rows[2]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_quiet_prints_ids_alone(capsys):
    print_ranking(make_ranking(), Format.quiet)
    assert capsys.readouterr().out == "org/model|0\norg/model|1\n"


def test_human_says_what_was_rejected_and_why_each_is_there(capsys):
    print_ranking(make_ranking(), Format.human)
    shown = capsys.readouterr().out
    assert "5 of 9 models" in shown
    assert "license 3, max_params 1" in shown
    assert "pre-trained on imagenet-1k" in shown
    assert "one image was skipped" in shown


def test_human_shows_markup_of_hostile_names_as_text(capsys):
    print_ranking(make_ranking(why=("[bold red]not markup[/bold red]",)), Format.human)
    assert "[bold red]not markup[/bold red]" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize("wanted", [Format.csv, Format.markdown, Format.quiet])
def test_formats_without_a_place_for_warnings_tell_them_on_stderr(wanted, capsys):
    print_ranking(make_ranking(), wanted)
    captured = capsys.readouterr()
    assert captured.err == "note: one image was skipped\n"
    assert "skipped" not in captured.out


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "from hf_crosssight.cli.output import *; from tests.test_recommendation import make_ranking\n"
    code += "for _ in range(2000): print_ranking(make_ranking(), Format.json)"
    shell = f"{sys.executable} -c '{code}' | head -1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert result.returncode == 0
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("count", "shown"),
    [(None, "unknown"), (999, "999"), (25_500, "25.5k"), (11_689_512, "11.7M"), (1_300_000_000, "1.3B")],
)
def test_sizes_are_readable(count, shown):
    assert human_size(count) == shown


def test_an_error_is_two_lines_on_stderr(capsys):
    print_error(UserError("a\nb   is wrong", "do\tthis"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: a b is wrong\nhint: do this\n"
