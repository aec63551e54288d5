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
from hf_crosssight.hardware.request import hardware_request
from hf_crosssight.hub import HubClient
from hf_crosssight.rankers import LoadedRanker, find_ranker
from hf_crosssight.reasons import Reasons
from hf_crosssight.recommendation import Ranking, Recommendation
from hf_crosssight.scoring import Scores, assign_tiers, best_first, recalled, score_candidates, shortlist_of
from hf_crosssight.zoo import Constraints, Selection, ZooIndex, open_zoo, parse_size, select

if TYPE_CHECKING:
    from hf_crosssight.data import DatasetSample
    from hf_crosssight.hardware.affordable import Affordable
    from hf_crosssight.models import CrossSightModel
    from hf_crosssight.refinement import Refinement
    from hf_crosssight.scoring import Shortlist
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
    device: str | None = None,
    max_latency_ms: str | float | None = None,
    max_memory_mb: str | float | None = None,
    max_energy_j: str | float | None = None,
    prefer: Sequence[str] | str | None = None,
    method: str | None = None,
    merge: str | None = None,
    phase: str | None = None,
    batch_size: int | None = None,
    pareto: bool = False,
    models: Sequence[str] | None = None,
    ranker: str | Path | CrossSightModel | LoadedRanker = "bundled",
    ranker_revision: str | None = None,
    refine: int | None = None,
    refine_rule: str = "evidence",
    refine_from: str | Path | None = None,
    top: int = 10,
    offline: bool = False,
    token: str | bool | None = None,
    progress: Progress | None = None,
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
        device (`str`, *optional*): a device of `hardware list`, `local`, or a device file: costs are given, and count.
        max_latency_ms, max_memory_mb, max_energy_j (*optional*): limits on milliseconds an image, MiB a pass, joules
            an image, which act on the upper end of the 90 % interval.
        prefer (`list[str]`, *optional*): `METRIC=WEIGHT`, costs that count beside accuracy.
        method (`str`, defaults to `shadow`): `shadow` merges two rankings, `fusion` takes a ranker's that reads the
            device. merge (`str`, defaults to `product`): how Shadow merges; also `thesis` and `copeland`.
        phase (`str`, defaults to `infer`): or `train`. batch_size (`int`, *optional*): images a pass; by default as
            devices of the kind were measured.
        pareto (`bool`): also give the front of score against cost, as `ranking.pareto`.
        models (`list[str]`, *optional*): rank just these ids (`org/name@REVISION` pins one).
        ranker (`str` or `CrossSightModel`, defaults to `bundled`): folder, Hub id, or a model in memory.
        refine (`int`, *optional*): run the best so many models on the images, and let what they show there move them;
            their files are taken from the zoo's folder, or fetched from the Hub at the commit that the zoo states.
        refine_rule (`str`, defaults to `evidence`): `model_spider` lets those that were run change places among
            themselves only. refine_from (*optional*): a folder of models to look in first.
        top (`int`, defaults to 10): how many to return, 0 for all.
        offline (`bool`): use nothing but this machine.
        token (`str`, *optional*): Hub token, for gated and private repositories; False sends none.
        progress: called as `progress(step, done, total)`.

    Returns:
        `Ranking`: best first; `ranking[0].model_id`, `ranking.to_pandas()`, `ranking.to_dict()`.

    Raises:
        UserError: the input is at fault. HubError: the Hub or the network is.
    """
    clock = _Clock()
    _check_numbers(images_per_class=images_per_class, max_classes=max_classes, top=top)
    if refine is not None:
        _check_refinement(refine, refine_rule, refine_from)
    constraints = Constraints(
        filter=_several(filter),
        license=_several(license),
        min_params=None if min_params is None else parse_size(min_params, "min_params"),
        max_params=None if max_params is None else parse_size(max_params, "max_params"),
    )
    on_device: Affordable | None = None
    wanted = hardware_request(
        device, max_latency_ms=max_latency_ms, max_memory_mb=max_memory_mb, max_energy_j=max_energy_j, prefer=prefer,
        method=method, merge=merge, phase=phase, batch_size=batch_size, pareto=pareto,
    )  # fmt: skip
    client = HubClient(token=token, offline=offline)

    files = find_ranker(ranker, revision=ranker_revision, client=client)
    with clock.step("model_tokens"):
        named = _named_models(models)
        whole_zoo = open_zoo(zoo, client=client, models=named, views=files.views, progress=progress)
        selection = select(whole_zoo, constraints)
        candidates = whole_zoo.take(selection.indices)
    if wanted is not None:
        with clock.step("hardware"):
            from hf_crosssight.hardware.affordable import affordable

            on_device = affordable(wanted, whole_zoo, selection)
            selection, candidates = on_device.selection, on_device.zoo
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
        hardware = on_device.hardware_token(loaded.model) if on_device else None
        scores = score_candidates(loaded.model, tokens.values, candidates, hardware)
        candidates = candidates.with_views(list(loaded.model.config.read_views), loaded.model.config.family_gates)
    plain = refine is None and hardware is None  # what moves the scores has moved them off their calibration
    shortlist = shortlist_of(loaded.model, scores, candidates) if plain else None
    refinement: Refinement | None = None
    if refine is not None:
        with clock.step("refinement"):
            from hf_crosssight.zoo.model_folders import root_of

            order = on_device.order(scores.score) if on_device else best_first(scores.score, candidates.model_ids)
            refinement = _refined(
                scores, candidates, sample, refine, root_of(zoo, refine_from), client, order=order,
                seen=_trained_on(loaded.model), rule=refine_rule, progress=progress,
            )  # fmt: skip
            scores = refinement.scores
    with clock.step("ranking"):
        recommendations = _recommend(loaded.model, tokens, candidates, scores, top, on_device, refinement, shortlist)

    return Ranking(
        recommendations=recommendations,
        dataset=encoded.describe(),
        ranker=loaded.describe(),
        zoo=_describe_zoo(whole_zoo, selection),
        shortlist=shortlist.describe() if shortlist else None,
        refinement=refinement.describe() if refinement else None,
        timing_s=clock.report(),
        pareto=on_device.front(scores.score) if on_device and pareto else None,
        warnings=(
            *encoded.warnings,
            *(on_device.notes if on_device else ()),
            *tokens.warnings,
            *whole_zoo.notes,
            *_describe_skipped(whole_zoo),
        ),
    )


def _recommend(
    model: CrossSightModel,
    tokens: DatasetTokens,
    zoo: ZooIndex,
    scores: Scores,
    top: int,
    on_device: Affordable | None,
    refinement: Refinement | None,
    shortlist: Shortlist | None,
) -> tuple[Recommendation, ...]:
    by_score = best_first(scores.score, zoo.model_ids)
    tiers = dict(zip(by_score.tolist(), assign_tiers(scores.low[by_score], scores.high[by_score]), strict=True))
    order = by_score if on_device is None else on_device.order(scores.score)
    front = None if on_device is None else on_device.front(scores.score)
    before = scores if refinement is None else refinement.before
    reasons = Reasons(model, tokens, zoo, before, best_first(before.score, zoo.model_ids))
    shown = order[:top] if top else order
    seen, known = _trained_on(model), recalled(model, zoo.take(shown))
    return tuple(
        _recommendation(
            position,
            index,
            zoo,
            scores,
            tiers[index],
            ((*refinement.why(index, position + 1),) if refinement else ()) + reasons.why(index),
            zoo.model_ids[index] in seen or bool(known[position]),
            on_device.hardware(index, front) if on_device and front else None,
            refinement.of(index) if refinement else None,
            bool(shortlist.members[index]) if shortlist else None,
        )
        for position, index in enumerate(shown.tolist())
    )


def _recommendation(
    position: int,
    index: int,
    zoo: ZooIndex,
    scores: Scores,
    tier: int,
    why: tuple[str, ...],
    seen: bool,
    hardware: dict[str, Any] | None,
    refined: dict[str, Any] | None,
    in_shortlist: bool | None,
) -> Recommendation:
    record = zoo.record(index)
    return Recommendation(
        rank=position + 1,
        model_id=record.model_id,
        score=_rounded(scores.score[index]),
        score_low=_rounded(scores.low[index]),
        score_high=_rounded(scores.high[index]),
        tier=tier,
        in_shortlist=in_shortlist,
        score_static=_rounded(scores.static[index]),
        score_dataset=_rounded(scores.dataset[index]),
        seen_in_training=seen,
        params=record.params,
        license=record.license,
        views=tuple(name for name, present in zoo.view_mask.items() if present[index]),
        hardware=hardware,
        why=why,
        score_evidence=None if scores.evidence is None else _rounded(scores.evidence[index]),
        refinement=refined,
    )


def _check_refinement(k: int, rule: str, folder: str | Path | None) -> None:
    from hf_crosssight.refinement import check_rule

    _check_numbers(refine=k)
    check_rule(rule)
    if folder is not None and not Path(folder).is_dir():
        raise UserError(f"there is no folder {folder} to take models from", "name a folder of models")


def _refined(
    scores: Scores,
    zoo: ZooIndex,
    sample: DatasetSample | EncodedDataset,
    k: int,
    folder: Path | None,
    client: HubClient,
    **given: Any,
) -> Refinement:
    """The best `k` run from a folder of models, or from the Hub where it lacks them."""
    from hf_crosssight.refinement import refine
    from hf_crosssight.zoo.model_folders import ModelFolders

    if isinstance(sample, EncodedDataset):
        raise UserError("an encoded dataset has no images to run models on", "rank the dataset itself, unrefined")
    return refine(scores, zoo, sample, k, ModelFolders(zoo, folder, client), **given)


def _trained_on(model: CrossSightModel) -> frozenset[str]:
    """Ids of the models whose results trained the ranker."""
    return frozenset((model.config.trained_on or {}).get("models", ()))


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


_LEAST = {"images_per_class": 1, "max_classes": 2, "top": 0, "refine": 1}


def _check_numbers(**numbers: int) -> None:
    for name, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < _LEAST[name]:
            raise UserError(f"{name} is {value!r}", f"give a whole number of at least {_LEAST[name]}")


def _describe_zoo(zoo: ZooIndex, selection: Selection) -> dict[str, Any]:
    return {
        "id": zoo.id,
        "num_models": len(zoo),
        "num_candidates": len(selection.indices),
        "rejected": dict(selection.rejected),
    }


def _describe_skipped(zoo: ZooIndex) -> tuple[str, ...]:
    return tuple(f"left out of the zoo: {name}: {reason}" for name, reason in zoo.skipped)
