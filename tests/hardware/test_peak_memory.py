"""Peak memory of a pass: what it takes is found, whatever this process has freed before."""

import sys

import numpy as np
import pytest
import torch

from hf_crosssight.hardware import peak_memory
from hf_crosssight.hardware.peak_memory import held_mb, peak_beside

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system tells no peak")
CPU = torch.device("cpu")


def takes(mebibytes, block=1 << 16):
    """A pass that fills so much memory, in blocks that the C library keeps for itself when they are freed."""
    return lambda: [np.ones(block, np.uint8) for _ in range(mebibytes * (1 << 20) // block)]


@pytest.mark.parametrize("block", [1 << 16, 1 << 26])
def test_a_pass_takes_what_it_fills(block):
    assert peak_beside(takes(128, block), CPU) == pytest.approx(128, rel=0.1)


def test_memory_that_was_freed_before_is_not_taken_for_nothing():
    takes(256)()  # now the C library could serve the pass without asking the system for any
    assert peak_beside(takes(128), CPU) == pytest.approx(128, rel=0.1)
    assert peak_beside(takes(64), CPU) == pytest.approx(64, rel=0.1)  # and no peak is that of an earlier pass


def test_what_is_held_already_does_not_count():
    held = takes(128)()
    before = held_mb(CPU)
    assert peak_beside(lambda: None, CPU) < 8
    assert held_mb(CPU) == pytest.approx(before, abs=16)
    assert len(held) == 2048


def test_a_system_that_tells_no_peak_gives_none(tmp_path, monkeypatch):
    monkeypatch.setattr(peak_memory, "_CLEAR", tmp_path / "no" / "such")
    assert peak_beside(lambda: None, CPU) is None
