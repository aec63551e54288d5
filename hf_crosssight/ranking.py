"""The main job, told in one file: a dataset, a zoo and constraints go in, a ranked and explained list comes out.

Nothing of a candidate model is downloaded or run here. The zoo was read once, when it was built; what is computed now
are the tokens of the dataset (a few images per class) and one cross-attention per candidate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hf_crosssight.encoding import EncodedDataset, encode_dataset
from hf_crosssight.errors import UserError
from hf_crosssight.hub import HubClient
from hf_crosssight.rankers import LoadedRanker, find_ranker
from hf_crosssight.reasons import Reasons
from hf_crosssight.recommendation import Ranking, Recommendation
from hf_crosssight.scoring import Scores, assign_tiers, best_first, score_candidates
from hf_crosssight.zoo import Constraints, Selection, ZooIndex, open_zoo, parse_size, select

if TYPE_CHECKING:
    from hf_crosssight.models import CrossSightModel
    from hf_crosssight.tokens.dataset import DatasetTokens

Progress = Callable[[str, int, int | None], None]


@dataclass
class _Clock:
    """Seconds spent per step, for `timing_s`."""

    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - begin, 3)

    def report(self) -> dict[str, float]:
        return {**self.seconds, "total": round(time.perf_counter() - self.started, 3)}


def rank(
    dataset: Any,
    *,
    config: str | None = None,
    split: str | None = None,
    revision: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    images_per_class: int = 10,
    max_classes: int = 100,
    seed: int = 0,
    zoo: str | Path = "starter",
    filter: Sequence[str] | str = (),
    license: Sequence[str] | str = (),
    min_params: str | int | None = None,
    max_params: str | int | None = None,
    models: Sequence[str] | None = None,
    ranker: str | Path | CrossSightModel | LoadedRanker = "bundled",
    ranker_revision: str | None = None,
    top: int = 10,
    offline: bool = False,
    token: str | bool | None = None,
    progress: Progress | None = None,
    **unavailable: Any,
) -> Ranking:
    """Ranks the models of a zoo by how well they are expected to do on a dataset after fine-tuning.

    Args:
        dataset: Hub id (old bare names included), `digits`, a folder of class folders, a folder in Hub layout, a
            `save_to_disk` folder, a `datasets` object, `{"images": [...], "labels": [...]}`, or an `EncodedDataset`.
        config, split, revision, image_column, label_column (`str`, *optional*): inferred where unambiguous.
        images_per_class (`int`, defaults to 10), max_classes (`int`, defaults to 100), seed (`int`): what is sampled.
        zoo (`str`, defaults to `starter`): bundled zoo, index folder, Hub id of an index, or folder of model repos.
        filter (`list[str]`): task, library or Hub tags; all must hold.
        license (`list[str]`): any may hold.
        min_params, max_params (`str` or `int`, *optional*): for example `30M`.
        models (`list[str]`, *optional*): rank just these ids (`org/name@REVISION` pins one).
        ranker (`str` or `CrossSightModel`, defaults to `bundled`): folder, Hub id, or a model in memory.
        top (`int`, defaults to 10): how many to return, 0 for all.
        offline (`bool`): use nothing but this machine.
        token (`str`, *optional*): Hub token, for gated and private repositories; False sends none.
        progress: called as `progress(step, done, total)`.
        unavailable: `device`, `max_latency_ms`, `max_memory_mb`, `max_energy_j`, `prefer`, `method`, `pareto` and
            `refine` are refused until they are built.

    Returns:
        `Ranking`: best first; `ranking[0].model_id`, `ranking.to_pandas()`, `ranking.to_dict()`.

    Raises:
        UserError: the input is at fault. HubError: the Hub or the network is.
    """
    clock = _Clock()
    _refuse_unavailable(unavailable)
    _check_numbers(images_per_class, max_classes, top)
    constraints = Constraints(
        filter=_several(filter),
        license=_several(license),
        min_params=None if min_params is None else parse_size(min_params, "min_params"),
        max_params=None if max_params is None else parse_size(max_params, "max_params"),
    )
    client = HubClient(token=token, offline=offline)

    files = find_ranker(ranker, revision=ranker_revision, client=client)
    with clock.step("model_tokens"):
        named = _named_models(models)
        whole_zoo = open_zoo(zoo, client=client, models=named, views=files.views, progress=progress)
        selection = select(whole_zoo, constraints)
        candidates = whole_zoo.take(selection.indices)
    with clock.step("dataset_sample"):
        from hf_crosssight.data import load_sample

        sample = dataset if isinstance(dataset, EncodedDataset) else load_sample(
            dataset, config=config, split=split, revision=revision, image_column=image_column,
            label_column=label_column, images_per_class=images_per_class, max_classes=max_classes, seed=seed,
            client=client, offline=offline, progress=progress,
        )  # fmt: skip
    with clock.step("ranker"):
        if progress is not None:
            progress("loading the ranker", 0, None)
        loaded = files.load()
    with clock.step("dataset_tokens"):
        encoded = encode_dataset(sample, loaded, client, progress)
        tokens = encoded.tokens
    with clock.step("ranking"):
        scores = score_candidates(loaded.model, tokens.values, candidates)
        candidates = candidates.with_views(list(loaded.model.config.view_shapes))
        recommendations = _recommend(loaded.model, tokens, candidates, scores, top)

    return Ranking(
        recommendations=recommendations,
        dataset=encoded.describe(),
        ranker=loaded.describe(),
        zoo=_describe_zoo(whole_zoo, selection),
        shortlist=None,
        timing_s=clock.report(),
        warnings=(*encoded.warnings, *tokens.warnings, *whole_zoo.notes, *_describe_skipped(whole_zoo)),
    )


def _recommend(
    model: CrossSightModel, tokens: DatasetTokens, zoo: ZooIndex, scores: Scores, top: int
) -> tuple[Recommendation, ...]:
    order = best_first(scores.score, zoo.model_ids)
    tiers = assign_tiers(scores.low[order], scores.high[order])
    shown = order[:top] if top else order
    reasons = Reasons(model, tokens, zoo, scores, order)
    seen = set((model.config.trained_on or {}).get("models", ()))
    return tuple(
        _recommendation(position, index, zoo, scores, tiers[position], reasons.why(index), seen)
        for position, index in enumerate(shown)
    )


def _recommendation(
    position: int, index: int, zoo: ZooIndex, scores: Scores, tier: int, why: tuple[str, ...], seen: set[str]
) -> Recommendation:
    record = zoo.record(index)
    return Recommendation(
        rank=position + 1,
        model_id=record.model_id,
        score=_rounded(scores.score[index]),
        score_low=_rounded(scores.low[index]),
        score_high=_rounded(scores.high[index]),
        tier=tier,
        in_shortlist=None,
        score_static=_rounded(scores.static[index]),
        score_dataset=_rounded(scores.dataset[index]),
        seen_in_training=record.model_id in seen,
        params=record.params,
        license=record.license,
        views=tuple(name for name, present in zoo.view_mask.items() if present[index]),
        hardware=None,
        why=why,
    )


def _rounded(value: float) -> float:
    return round(float(value), 6) + 0.0  # + 0.0: never print -0.0


def _several(words: Sequence[str] | str) -> tuple[str, ...]:
    """One word or a list of them: `filter="timm"` means `filter=["timm"]`, not four letters."""
    return (words,) if isinstance(words, str) else tuple(words)


def _named_models(models: Sequence[str] | str | None) -> list[str] | None:
    if models is None:
        return None
    named = list(_several(models))
    if not named:
        raise UserError("models is an empty list", "name at least one model, or leave it out to rank the whole zoo")
    return named


UNAVAILABLE = (
    "device",
    "max_latency_ms",
    "max_memory_mb",
    "max_energy_j",
    "prefer",
    "method",
    "pareto",
    "refine",
)
"""Options that are promised but not built."""


def _refuse_unavailable(options: dict[str, Any]) -> None:
    """Silence would look like a constraint that was met."""
    for name, value in options.items():
        if name not in UNAVAILABLE:
            raise TypeError(f"rank() got an unexpected keyword argument {name!r}")
        if value is not None and value is not False:
            option = f"--{name.replace('_', '-')}"
            raise UserError(
                f"{option} is not available yet", "leave it out; hardware limits and refinement come later"
            )


def _check_numbers(images_per_class: int, max_classes: int, top: int) -> None:
    least_of = {"images_per_class": (images_per_class, 1), "max_classes": (max_classes, 2), "top": (top, 0)}
    for name, (value, least) in least_of.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UserError(f"{name} is {value!r}", f"give a whole number of at least {least}")


def _describe_zoo(zoo: ZooIndex, selection: Selection) -> dict[str, Any]:
    return {
        "id": zoo.id,
        "num_models": len(zoo),
        "num_candidates": len(selection.indices),
        "rejected": dict(selection.rejected),
    }


def _describe_skipped(zoo: ZooIndex) -> tuple[str, ...]:
    return tuple(f"left out of the zoo: {name}: {reason}" for name, reason in zoo.skipped)
