"""`refine`: the best K models of a ranking are run on the user's images, and what they show there moves them.

By the rule `evidence` every model that was run gets h(m, d) added to its score, which may lift it over, or drop it
under, models that were not run. By `model_spider` the models that were run keep the places that they hold together, as
Model Spider re-ranks its best k (Zhang et al., NeurIPS 2023, section 3.4): their scores are dealt out again in the
order of s + h.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hf_crosssight.data import DatasetSample
from hf_crosssight.errors import UserError
from hf_crosssight.reasons import ordinal
from hf_crosssight.refinement.evidence import Evidence, measure
from hf_crosssight.refinement.fusion import Fusion, bundled_fusion
from hf_crosssight.scoring import Scores, best_first, places_in
from hf_crosssight.zoo import ZooIndex
from hf_crosssight.zoo.model_folders import ModelFolders

Progress = Callable[[str, int, int | None], None]

RULES = ("evidence", "model_spider")
_TOLD = {
    "knn": "nearest-neighbour accuracy", "logme": "LogME", "hscore": "H-score", "lfc": "LFC", "parc": "PARC",
    "hscore_regularized": "regularised H-score", "nleep": "N-LEEP", "gbc": "GBC", "sfda": "SFDA", "ncti": "NCTI",
    "etran": "ETran", "transrate": "TransRate", "linear_probe": "linear-probe accuracy",
    "pactran_gaussian": "PACTran",
}  # fmt: skip


@dataclass(frozen=True)
class Refinement:
    """What running the best K models changed.

    Attributes:
        rule: one of `RULES`.
        fusion: the weights.
        evidence: by candidate, best first: what running it gave, or why it was not run.
        before: the ranker's scores of all candidates.
        order_before: their order.
        added: h `[M]`, 0 for those that were not run.
    """

    rule: str
    fusion: Fusion
    evidence: dict[int, Evidence]
    before: Scores
    order_before: np.ndarray
    added: np.ndarray

    @property
    def scores(self) -> Scores:
        """The scores with h; intervals move along."""
        return self.before.with_evidence(self.added)

    def describe(self) -> dict[str, Any]:
        """The `refinement` part of a ranking's JSON."""
        run = sum(bool(found.values) for found in self.evidence.values())
        return {
            "k": len(self.evidence),
            "rule": self.rule,
            "run": run,
            "not_run": len(self.evidence) - run,
            "weights": dict(self.fusion.weights),
            "trust": self.fusion.trust,
            "fitted_on": dict(self.fusion.fitted_on),
        }

    def of(self, index: int) -> dict[str, Any] | None:
        """What was measured of one candidate; `None` if it is none of the K."""
        found = self.evidence.get(index)
        if found is None:
            return None
        return {
            "rank_before": int(places_in(self.order_before)[index]),
            "score_before": round(float(self.before.score[index]), 6),
            "evidence": {name: round(value, 6) for name, value in found.values.items()} or None,
            "reason": found.reason or None,
            "revision": found.revision,
        }

    def why(self, index: int, place: int) -> tuple[str, ...]:
        """A sentence on what running a candidate showed and where it moved, now that it is at `place`."""
        found = self.evidence.get(index)
        if found is None:
            return ()
        if not found.values:
            return (f"not run on your images, so it keeps its score: {found.reason}",)
        told = ", ".join(self._told(name, index) for name in self.fusion.methods if name in found.values)
        was = int(places_in(self.order_before)[index])
        moved = (
            "it keeps its place" if place == was else f"moved {'up' if place < was else 'down'} from {ordinal(was)}"
        )
        return (f"run on your images: {told}; {moved} (score {self.added[index]:+.2f})",)

    def _told(self, method: str, index: int) -> str:
        values = {i: found.values[method] for i, found in self.evidence.items() if method in found.values}
        place = 1 + sum(value > values[index] for value in values.values())
        return f"{_TOLD.get(method, method)} {values[index]:.3g} ({ordinal(place)} of {len(values)} run)"


def check_rule(rule: str) -> None:
    """Raises `UserError` if there is no such rule."""
    if rule not in RULES:
        raise UserError(f"there is no rule '{rule}' to refine by", f"known: {', '.join(RULES)}")


def refine(
    scores: Scores,
    zoo: ZooIndex,
    sample: DatasetSample,
    k: int,
    folders: ModelFolders,
    *,
    order: np.ndarray | None = None,
    seen: Container[str] = (),
    rule: str = "evidence",
    fusion: Fusion | None = None,
    progress: Progress | None = None,
) -> Refinement:
    """Runs the best `k` candidates on the sample's images.

    Args:
        scores: the ranker's scores of the M candidates of `zoo`.
        sample: labelled images.
        folders: where the models' files are.
        order: the candidates, best first `[M]`; by their scores by default.
        seen: ids of the models that the ranker was trained on.
        fusion: the weights; the bundled ones by default.

    Raises:
        UserError: none of the k can be run, the images have no labels, or there is no such rule.
        HubError: none of them could be fetched.
    """
    check_rule(rule)
    weights = fusion or bundled_fusion()
    before = best_first(scores.score, zoo.model_ids) if order is None else order
    chosen = [int(index) for index in before[:k]]
    ids = [zoo.model_ids[index] for index in chosen]
    found = measure(ids, sample, weights.methods, folders, progress=progress)
    if chosen and not any(each.values for each in found):
        raise _none_run(ids, found)
    added = np.zeros(len(zoo))
    unseen = np.array([model_id not in seen for model_id in ids], dtype=bool)
    added[chosen] = added_scores(scores.score[chosen], unseen, [each.values for each in found], weights, rule)
    return Refinement(rule, weights, dict(zip(chosen, found, strict=True)), scores, before, added)


def added_scores(
    before: np.ndarray,
    unseen: np.ndarray,
    values: Sequence[Mapping[str, float]],
    fusion: Fusion,
    rule: str = "evidence",
) -> np.ndarray:
    """What is added `[K]` to the scores `before` of K models by their evidence (`Fusion.added`); 0 without any."""
    run = np.array([bool(found) for found in values], dtype=bool)
    added = np.zeros(len(values))
    added[run] = fusion.added(before[run], unseen[run], [found for found in values if found])
    if rule == "model_spider":
        added[run] = _dealt_again(before[run], added[run])
    return added


def _dealt_again(before: np.ndarray, added: np.ndarray) -> np.ndarray:
    """What must be added `[K]` so that the K scores stay the same, in the order of `before + added`."""
    after = np.empty(len(before))
    after[np.argsort(-(before + added), kind="stable")] = np.sort(before)[::-1]
    return after - before


def _none_run(ids: list[str], found: list[Evidence]) -> UserError:
    return UserError(
        f"none of the best {len(ids)} models can be run: {ids[0]}: {found[0].reason}",
        "rank a folder of models with --zoo, drop --offline to fetch them from the Hub, or leave --refine out",
    )
