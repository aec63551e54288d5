"""Work that is watched and stopped."""

from __future__ import annotations

import threading

import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.space.job import Job


def test_steps_are_told_and_the_result_comes_after_them():
    def work(progress):
        progress("reading images", 3, 10)
        return 42

    job = Job(work)
    steps = list(job.steps())
    assert steps[0].name == "starting"
    assert job.result() == 42


def test_the_latest_step_is_the_one_shown():
    told, go = threading.Event(), threading.Event()

    def work(progress):
        for number in range(100):
            progress("reading images", number, 100)
        told.set()
        go.wait(10)

    steps = Job(work).steps()
    next(steps)
    told.wait(10)
    assert next(steps).done == 99
    go.set()


def test_closing_the_steps_stops_the_work():
    started, stopped = threading.Event(), threading.Event()

    def work(progress):
        try:
            while True:
                progress("reading images", 0, None)
                started.set()
        finally:
            stopped.set()

    steps = Job(work).steps()
    next(steps)
    assert started.wait(10)
    steps.close()
    assert stopped.wait(10)


def test_what_the_work_raises_is_raised_by_its_result():
    def work(progress):
        raise UserError("no such thing")

    job = Job(work)
    list(job.steps())
    with pytest.raises(UserError, match="no such thing"):
        job.result()
