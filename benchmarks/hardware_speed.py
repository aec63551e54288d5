"""What a device adds to ranking 100,000 models: CPU milliseconds, best and median of ten.

python benchmarks/hardware_speed.py

`costs` is predicting latency, memory and energy of all; `limits` is what `rank` adds with two limits and a preference:
shapes, costs, measured timings, verdicts, the merged order and the front. The starter zoo repeated serves as the zoo;
`all different` is the same with a number of parameters of its own for each, so that no two models share a prediction.
Then a whole ranking, scoring by the bundled ranker included: without a device, with limits that all known models keep,
and with a limit at their median latency, which leaves half of them to be scored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa

from hf_crosssight.data import load_sample
from hf_crosssight.hardware.affordable import Affordable, affordable
from hf_crosssight.hardware.catalogue import find_device
from hf_crosssight.hardware.model_shape import zoo_shapes
from hf_crosssight.hardware.predict import predict_costs
from hf_crosssight.hardware.request import HardwareRequest, hardware_request
from hf_crosssight.models import CrossSightModel
from hf_crosssight.rankers import bundled_ranker
from hf_crosssight.scoring import best_first, score_candidates
from hf_crosssight.tokens.dataset import dataset_tokens
from hf_crosssight.zoo.filters import Constraints, Selection, select
from hf_crosssight.zoo.index import ZooIndex
from hf_crosssight.zoo.open import open_zoo

_MODELS = 100_000


def main() -> None:
    zoo = open_zoo("starter")
    many = zoo.take(np.resize(np.arange(len(zoo)), _MODELS))
    params = pa.array(np.asarray(many.column("params").fill_null(1)) + np.arange(_MODELS))
    table = many.table.set_column(many.table.column_names.index("params"), "params", params)
    different = ZooIndex("different", table, many.views, many.view_mask)
    shapes, everyone = zoo_shapes(many), select(many, Constraints())
    many.model_ids  # noqa: B018 - a zoo's ids are there before any limit
    scores = np.random.default_rng(0).normal(size=_MODELS)
    for name in ("rtx4090", "i7-12700h"):
        device = find_device(name)
        request = hardware_request(name, max_latency_ms=1e6, max_memory_mb=1e9, prefer=["latency_ms=0.07"])
        assert request is not None
        _print(name, "costs", lambda device=device: predict_costs(shapes, device))
        _print(name, "limits", lambda request=request: affordable(request, many, everyone))
        _print(name, "limits, all different", lambda request=request: affordable(request, different, everyone))
        found = affordable(request, many, everyone)
        _print(name, "merge and front", lambda found=found: _ordered(found, scores[: len(found.zoo)]))
        middle = float(np.nanmedian(found.costs.latency_ms.high))
        halved = hardware_request(name, max_latency_ms=middle, prefer=["latency_ms=0.07"])
        for what, wish in (("ranking, no device", None), ("ranking, wide limits", request), ("ranking, half", halved)):
            _print(name, what, lambda wish=wish: _ranking(wish, many, everyone), times=5)


def _ordered(found: Affordable, scores: np.ndarray) -> None:
    found.order(scores)
    found.front(scores)


def _ranking(request: HardwareRequest | None, zoo: ZooIndex, everyone: Selection) -> None:
    """What `rank` does from a zoo and tokens to an order."""
    found = affordable(request, zoo, everyone) if request is not None else None
    candidates = zoo if found is None else found.zoo
    scores = score_candidates(_ranker(), _tokens(), candidates).score
    if found is None:
        best_first(scores, candidates.model_ids)
    else:
        _ordered(found, scores)


@cache
def _ranker() -> CrossSightModel:
    return bundled_ranker()


@cache
def _tokens() -> np.ndarray:
    return dataset_tokens(load_sample("digits", offline=True)).values


def _print(device: str, what: str, work: Callable[[], Any], times: int = 10) -> None:
    work()
    taken = []
    for _ in range(times):
        begun = time.process_time()
        work()
        taken.append(1e3 * (time.process_time() - begun))
    said = {"best_ms": round(min(taken), 1), "median_ms": round(median(taken), 1)}
    print(json.dumps({"device": device, "models": _MODELS, "what": what} | said), flush=True)


if __name__ == "__main__":
    main()
