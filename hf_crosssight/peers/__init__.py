"""Rankers that learn from past results, after published methods, under one signature: `fit(history)`, `score(target)`.

`make_peer(name)` makes one; `PEERS` names them. `history.py` holds what they are given.
"""

from __future__ import annotations

from .history import Candidates, History, Ranker, Target
from .registry import PEERS, make_peer

__all__ = ["PEERS", "Candidates", "History", "Ranker", "Target", "make_peer"]
