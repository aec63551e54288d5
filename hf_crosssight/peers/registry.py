"""The peers by the names of the command line; each module is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

from hf_crosssight.errors import UserError

from .history import Ranker

# Name: module and class.
PEERS = {
    "model_spider": ("model_spider", "ModelSpider"),
    "emms": ("emms", "Emms"),
    "fennec": ("fennec", "Fennec"),
    "transfergraph": ("transfergraph", "TransferGraph"),
}


def make_peer(name: str, config: object | None = None, *, seed: int = 0) -> Ranker:
    """An unfitted ranker; `config` is the config dataclass of its module (without one its defaults, and `seed`)."""
    if name not in PEERS:
        raise UserError(f"'{name}' is not a peer", f"known: {', '.join(PEERS)}")
    module, kind = PEERS[name]
    room = import_module(f"{__package__}.{module}")
    settings = getattr(room, f"{kind}Config", None)
    given = (config,) if config is not None else () if settings is None else (settings(seed=seed),)
    ranker: Ranker = getattr(room, kind)(*given)
    return ranker
