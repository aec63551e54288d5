"""What `rank` returns: a `Ranking` of `Recommendation`s, and its JSON, table and CSV forms.

The JSON form (`Ranking.to_dict()`) is a contract: scripts read it, so fields are added, never renamed, and what is
unknown is null.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import pandas as pd

    from hf_crosssight.hardware.pareto import Pareto

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Recommendation:
    """One model of a ranking.

    Attributes:
        rank (`int`): 1 is the best.
        model_id (`str`): Hub id, or the name of its folder.
        score (`float`): expected accuracy after fine-tuning, as a z-score among models; higher is better.
        score_low, score_high (`float`): 90 % interval over the ranker's ensemble, see docs.
        tier (`int`): models of one tier cannot be told apart; 1 is the best.
        in_shortlist (`bool`, *optional*): `None` until a ranker brings a calibrated shortlist.
        score_static (`float`): what the model is worth on any dataset.
        score_dataset (`float`): what this dataset adds; `score_static + score_dataset == score` without refinement.
        seen_in_training (`bool`): whether results of this very model trained the ranker.
        params (`int`, *optional*), license (`str`, *optional*): facts of the model.
        views (`tuple[str, ...]`): what the ranker read of the model.
        hardware (`dict`, *optional*): figures on a device; `None` when no device was asked for.
        why (`tuple[str, ...]`): reasons, each a sentence that can be checked.
        score_evidence (`float`, *optional*): what running the model on the images adds to the score; `None` unless
            some models were run (`refine`).
        refinement (`dict`, *optional*): of a model among the best K: `rank_before`, `score_before`, `evidence` (score
            by method, `None` if it could not be run), `reason` (why not), `revision` (commit that was run).
    """

    rank: int
    model_id: str
    score: float
    score_low: float
    score_high: float
    tier: int
    in_shortlist: bool | None
    score_static: float
    score_dataset: float
    seen_in_training: bool
    params: int | None
    license: str | None
    views: tuple[str, ...]
    hardware: dict[str, Any] | None
    why: tuple[str, ...]
    score_evidence: float | None = None
    refinement: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: plain lists instead of tuples."""
        return {**asdict(self), "views": list(self.views), "why": list(self.why)}


@dataclass(frozen=True)
class Ranking(Sequence[Recommendation]):
    """A ranked list of models for one dataset; a sequence of `Recommendation`.

    Attributes:
        recommendations (`tuple[Recommendation, ...]`): best first.
        dataset, ranker, zoo (`dict`): what was ranked by what, as in the JSON form.
        shortlist (`dict`, *optional*): calibrated shortlist, `None` until a ranker brings calibration.
        timing_s (`dict[str, float]`): seconds per step.
        pareto (`Pareto`, *optional*): score against cost, where it was asked for.
        warnings (`tuple[str, ...]`): what the user should know about the dataset, the zoo or the result.
        refinement (`dict`, *optional*): how the best K were refined: `k`, `rule`, `run`, `not_run`, `weights`,
            `fitted_on`; `None` without refinement.
    """

    recommendations: tuple[Recommendation, ...]
    dataset: dict[str, Any]
    ranker: dict[str, Any]
    zoo: dict[str, Any]
    shortlist: dict[str, Any] | None
    timing_s: dict[str, float]
    warnings: tuple[str, ...] = ()
    pareto: Pareto | None = None
    refinement: dict[str, Any] | None = None

    @overload
    def __getitem__(self, index: int) -> Recommendation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Recommendation, ...]: ...
    def __getitem__(self, index: int | slice) -> Recommendation | tuple[Recommendation, ...]:
        return self.recommendations[index]

    def __len__(self) -> int:
        return len(self.recommendations)

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.recommendations)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form that the command line prints (schema version 1)."""
        return {
            "schema_version": SCHEMA_VERSION,
            "dataset": self.dataset,
            "ranker": self.ranker,
            "zoo": self.zoo,
            "shortlist": self.shortlist,
            "refinement": self.refinement,
            "recommendations": [item.to_dict() for item in self.recommendations],
            **({"pareto": self.pareto.to_dict()} if self.pareto else {}),
            "warnings": list(self.warnings),
            "timing_s": self.timing_s,
        }

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict per model, lists joined by `; `: what tables and CSV are made of."""
        flat = []
        for item in self.recommendations:
            row = item.to_dict()
            row |= _flat_costs(row.pop("hardware"))
            row.pop("refinement")
            row["views"] = " ".join(item.views)
            row["why"] = "; ".join(item.why)
            flat.append(row)
        return flat

    def to_pandas(self) -> pd.DataFrame:
        """One row per model, columns as in `Recommendation`; of `hardware` the figures."""
        import pandas as pd

        return pd.DataFrame(self.rows())


FLAT_COSTS = ("device", "latency_ms", "memory_mb", "energy_j", "source", "pareto")
"""What tables and CSV show of a model's `hardware`."""


def _flat_costs(hardware: dict[str, Any] | None) -> dict[str, Any]:
    return {} if hardware is None else {name: hardware[name] for name in FLAT_COSTS}
