"""The command line with a Hub at the other end: whose fault it is stands in two lines and in the exit code."""

import pytest

from tests.hub import Fault


@pytest.mark.parametrize(
    ("dataset", "code", "expected"),
    [("acme/none", 2, "dataset acme/none does not exist"), ("acme/shapes", 3, "answered 501")],
)
def test_errors_are_two_lines_and_an_exit_code(hub, run_cli, dataset, code, expected):
    hub.faults.add("/api/datasets/acme/shapes*", Fault(status=501), times=100)
    done = run_cli(["rank", "--dataset", dataset], hub=hub)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 2
    assert expected in lines[0]
