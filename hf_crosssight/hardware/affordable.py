"""The models of a zoo that a device can run within the limits, and in which order they are to be tried.

Shadow, the default, goes through three steps: hard limits on the upper ends of the costs; the Pareto front, which is
marked; the order by the product form of `combine`, whose first model always lies on the front. Without preferences the
order is that of the scores. Fusion leaves the order to a ranker that reads the device as a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.hardware.combine import copeland, product, thesis_sum, worth_of
from hf_crosssight.hardware.limits import METRIC_OF, nothing_meets
from hf_crosssight.hardware.measurements import anchors_from, own_rows, with_measured
from hf_crosssight.hardware.memory import memory_of
from hf_crosssight.hardware.model_shape import ModelShapes, shared_shapes
from hf_crosssight.hardware.pareto import Pareto, on_front
from hf_crosssight.hardware.predict import Costs, predict_costs, usual_batch
from hf_crosssight.hardware.preferences import Preference, filled, metric_values
from hf_crosssight.hardware.request import HardwareRequest
from hf_crosssight.scoring import falling
from hf_crosssight.tokens.hardware import hardware_token
from hf_crosssight.zoo.filters import Selection, narrowed
from hf_crosssight.zoo.index import ZooIndex

if TYPE_CHECKING:
    from hf_crosssight.models import CrossSightModel


@dataclass(frozen=True)
class Affordable:
    """M models that keep the limits of a request.

    Attributes:
        request (`HardwareRequest`): what is wanted.
        zoo (`ZooIndex`): the M models.
        selection (`Selection`): which of the whole zoo they are, and who was rejected why.
        costs (`Costs`): theirs.
    """

    request: HardwareRequest
    zoo: ZooIndex
    selection: Selection
    costs: Costs

    def order(self, scores: np.ndarray) -> np.ndarray:
        """Indices `[M]`, the first to try first; ties by model id."""
        return falling((self._merged(scores), np.round(scores, 6)), self.zoo.model_ids)

    def front(self, scores: np.ndarray) -> Pareto:
        """The front of score against the cost that matters most: preferred, else limited, else latency."""
        preferred = [p.metric for p in self.request.preferences if p.metric in METRIC_OF.values() and p.exponent < 0]
        limited = [METRIC_OF[name] for name in self.request.limits.set()]
        metric = next(iter([*preferred, *limited]), "latency_ms")
        figure = getattr(self.costs, metric)
        device, ids = self.request.device.name, self.zoo.model_ids
        return Pareto(metric, device, ids, scores, figure.value, on_front(np.round(scores, 6), figure.value))

    def hardware_token(self, ranker: CrossSightModel) -> np.ndarray | None:
        """What Fusion's ranker is told of the device and the limit on latency `[Dh]`; `None` for Shadow.

        Raises:
            UserError: the ranker was not trained to read it.
        """
        if self.request.method != "fusion":
            return None
        if not ranker.config.hardware_token_dim:
            raise UserError(
                "--method fusion needs a ranker that reads hardware, and this one does not.",
                "Train one (benchmarks/train_fusion_ranker.py) and name it with --ranker, or take --method shadow.",
            )
        return hardware_token(self.request.device, self.request.limits.max_latency_ms)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the figures rest on, and what became of odd weights."""
        return (*self.costs.notes, *self.request.remarks)

    def hardware(self, index: int, front: Pareto) -> dict[str, Any]:
        """The `hardware` object of one model in a ranking's JSON."""
        return {**self.costs.hardware(index), "pareto": bool(front.front[index])}

    def _merged(self, scores: np.ndarray) -> np.ndarray:
        """What the models are ordered by, higher first, `[M]`: the scores themselves where no cost counts."""
        wanted = self.request
        counting = [preference for preference in wanted.preferences if preference.weight]
        named = list(wanted.preferences) if wanted.merge == "thesis" else counting  # there a weight of 0 adds its 1
        if wanted.method == "fusion" or not counting:
            return np.round(scores, 6)
        columns = [filled(p, metric_values(p.metric, self.costs, self.zoo), wanted.device.name) for p in named]
        targets = np.array([self._target(p, column) for p, column in zip(named, columns, strict=True)])
        weights = np.array([preference.exponent for preference in named])
        metrics = np.stack(columns, axis=1)
        if wanted.merge == "copeland":
            return copeland(scores, product(np.ones(len(scores)), metrics, targets, weights)).astype(float)
        merge = thesis_sum if wanted.merge == "thesis" else product
        return merge(worth_of(scores), metrics, targets, weights)

    def _target(self, preference: Preference, values: np.ndarray) -> float:
        """T_i: the limit on the metric where there is one, else its median over the models."""
        limits = {METRIC_OF[name]: limit for name, limit in self.request.limits.set().items()}
        return limits.get(preference.metric, float(np.median(values)))


def affordable(request: HardwareRequest, zoo: ZooIndex, selection: Selection) -> Affordable:
    """Those of a zoo's selected models that the device can run within the limits.

    Raises:
        UserError: there are none; the closest are named.
    """
    candidates = zoo.take(selection.indices)
    shapes, shape_of = shared_shapes(candidates)
    costs = costs_of(request, candidates, shapes, shape_of)
    least = costs.memory_mb.high
    if request.batch_size is None and costs.batch_size > 1:  # whoever named no batch can run a smaller one
        least = memory_of(shapes, 1, request.phase, request.device.engine).high[shape_of]
    left, rejected = narrowed(len(costs), request.limits.verdicts(costs, least))
    if not left.any():
        raise nothing_meets(request.limits, costs, least, candidates.model_ids)
    if left.all():
        return Affordable(request, candidates, selection, costs)
    rows = np.flatnonzero(left)
    kept = Selection(selection.indices[rows], {**selection.rejected, **rejected})
    return Affordable(request, candidates.take(rows), kept, costs.take(rows))


def costs_of(request: HardwareRequest, zoo: ZooIndex, shapes: ModelShapes, shape_of: np.ndarray) -> Costs:
    """Costs of a zoo's models on the device of a request: measured where they were, else predicted.

    What was measured there with `hardware measure` also anchors the predictions of the other models. The shapes, and
    which of them each model has `[M]`, are those of `shared_shapes`.
    """
    usual = usual_batch(request.device)
    batch = usual if request.batch_size is None else request.batch_size
    own = own_rows(request.device, request.phase, zoo)
    anchors = anchors_from(own, shapes, shape_of)
    found = predict_costs(shapes, request.device, batch_size=batch, phase=request.phase, anchors=anchors)
    return with_measured(found.take(shape_of), zoo, own, usual=batch == usual)
