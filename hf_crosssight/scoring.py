"""From a ranker's output to an order: scores with intervals, places, tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from hf_crosssight.models import CrossSightModel
    from hf_crosssight.zoo import ZooIndex

SIGMAS = 1.6448536269514722
"""Half-width of `score_low` to `score_high` in the ensemble's standard deviations: 90 % of a normal distribution."""

_ROWS = 4096  # models looked at together


@dataclass(frozen=True)
class Scores:
    """What is said of every candidate, each array float64 `[candidates]`; static + dataset + evidence = score.

    `evidence` is what running the best candidates added; `None` where none was run.
    """

    score: np.ndarray
    spread: np.ndarray
    static: np.ndarray
    dataset: np.ndarray
    evidence: np.ndarray | None = None

    @property
    def low(self) -> np.ndarray:
        return self.score - SIGMAS * self.spread

    @property
    def high(self) -> np.ndarray:
        return self.score + SIGMAS * self.spread

    def with_evidence(self, added: np.ndarray) -> Scores:
        """The same with measured evidence `[candidates]` added to the scores; intervals move along."""
        return replace(self, score=self.score + added, evidence=added)


def score_candidates(
    model: CrossSightModel, dataset_tokens: np.ndarray, zoo: ZooIndex, hardware_token: np.ndarray | None = None
) -> Scores:
    """Scores every model of a zoo on one dataset, tokens `[S, Dd]`; the dataset part is gated residual plus match.

    The ranker is given the views that it was trained to read; those that the zoo lacks count as missing, and so do
    those of a model of a family that they are not read of (`family_gates`). With a hardware token `[Dh]` (Fusion) the
    scores join accuracy with the device.

    Raises:
        UserError: the zoo has none of them, or of another shape.
    """
    from hf_crosssight.tokens.word_match import evidence_of

    read = zoo.with_views(list(model.config.read_views), model.config.family_gates)
    if not read.views:
        wanted, held = (", ".join(names) or "none" for names in (model.config.read_views, zoo.views))
        raise UserError(
            f"the ranker reads the views {wanted}, the zoo '{zoo.id}' holds {held}",
            "build the zoo with the views that the ranker reads (zoo build --views, zoo upgrade --views)",
        )
    views = {name: read.views.in_blocks(name) for name in read.views}
    evidence = evidence_of(model, dataset_tokens, views) if "card" in views else None
    try:
        output = model.score_zoo(
            dataset_tokens, views, read.view_mask, evidence=evidence, hardware_token=hardware_token
        )
    except ValueError as error:  # the models room knows no errors of ours
        raise UserError(
            f"the ranker cannot read the zoo '{zoo.id}': {error}", "use a ranker and a zoo of the same version"
        ) from error
    score, static, spread = (part[0].double().numpy() for part in (output.scores, output.static, output.scores_std))
    return Scores(score=score, spread=spread, static=static, dataset=score - static)


def recalled(model: CrossSightModel, zoo: ZooIndex) -> np.ndarray:
    """Whether each of a zoo's models is one whose results the ranker keeps, under whatever name, bool `[M]`."""
    import torch

    found = np.zeros(len(zoo), bool)
    names = ("probe", "structure")
    if model.past_results is None or model.pair_features is None or not set(names) <= set(zoo.views):
        return found
    whole = {name: zoo.views.in_blocks(name) for name in names}
    there = np.logical_and.reduce([zoo.view_mask[name] for name in names])
    for start in range(0, len(zoo), _ROWS):
        rows = slice(start, start + _ROWS)
        views = {
            name: torch.tensor(view[rows], dtype=torch.float32, device=model.device) for name, view in whole.items()
        }
        with torch.inference_mode():
            known = model.past_results.known_as(model.pair_features.keys(views)) >= 0
        found[rows] = known.cpu().numpy() & there[rows]
    return found


@dataclass(frozen=True)
class Shortlist:
    """Candidates among which the best one is, with a coverage that held on held-out datasets.

    Attributes:
        members (`np.ndarray`): bool `[candidates]`.
        coverage (`float`): share of datasets whose best model was on it.
        calibrated_on (`int`): parents of datasets that were held out for it.
    """

    members: np.ndarray
    coverage: float
    calibrated_on: int

    def describe(self) -> dict[str, float | int]:
        """The `shortlist` part of a ranking's JSON."""
        return {"coverage": self.coverage, "size": int(self.members.sum()), "calibrated_on": self.calibrated_on}


def shortlist_of(model: CrossSightModel, scores: Scores, zoo: ZooIndex) -> Shortlist | None:
    """All candidates within the calibrated gap of the best score.

    `None` without a calibration, and where a candidate lacks the probe view, without which it was not calibrated.
    """
    config = model.config
    if config.shortlist_gap is None or not len(scores.score):
        return None
    if "probe" in config.forest_views and not ("probe" in zoo.view_mask and zoo.view_mask["probe"].all()):
        return None
    near = scores.score >= scores.score.max() - float(config.shortlist_gap) - 1e-9
    return Shortlist(near, float(config.shortlist_coverage), int(config.shortlist_parents))


def best_first(score: np.ndarray, model_ids: Sequence[str]) -> np.ndarray:
    """Indices `[M]` by falling score; ties by model id, so that the order of a zoo never decides."""
    return falling((np.round(score, 6),), model_ids)


def falling(keys: Sequence[np.ndarray], model_ids: Sequence[str]) -> np.ndarray:
    """Indices `[M]` by falling keys `[M]`, of which the first counts most; ties by model id.

    Keys after the first and ids are looked at where there is a tie only: to sort a hundred thousand texts takes longer
    than to score the models.
    """
    order = np.argsort(-keys[0])
    tied = keys[0][order[1:]] == keys[0][order[:-1]]
    places = np.flatnonzero(np.r_[tied, False] | np.r_[False, tied])
    group = np.cumsum(np.r_[True, ~tied])[places]
    rows = order[places]
    names = np.array([model_ids[row] for row in rows], dtype=str)
    order[places] = rows[np.lexsort((names, *(-key[rows] for key in reversed(keys[1:])), group))]
    return order


def places(score: np.ndarray, model_ids: Sequence[str]) -> np.ndarray:
    """Place of each model, int64 `[M]`: 1 for the first of `best_first`."""
    return places_in(best_first(score, model_ids))


def places_in(order: np.ndarray) -> np.ndarray:
    """Place of each model, int64 `[M]`, in an order `[M]` of indices, best first."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(1, len(order) + 1)
    return place


def assign_tiers(low: np.ndarray, high: np.ndarray) -> list[int]:
    """Tier of each model, best first `[M]`: a tier holds all whose interval reaches that of the tier's first."""
    tiers: list[int] = []
    tier, floor = 0, np.inf
    for bottom, ceiling in zip(low, high, strict=True):
        if ceiling < floor or tier == 0:
            tier, floor = tier + 1, bottom
        tiers.append(tier)
    return tiers
