"""Rankers of these tests are tiny: a second thread only waits for the first."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
