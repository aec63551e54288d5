"""`train_ranker`: tables, views and dataset tokens in, a trained `CrossSightModel` out.

The loss is the model's own (gaussianised ranks and pairs weighted as the weighted tau weighs them) plus a consistency
term: a model whose tensors or costs are not known must score as it does when they are. Training stops, and the factor
on the dataset's part is chosen, on datasets whose parents and models whose lineages were not trained on.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hf_crosssight.evaluation.metrics import weighted_tau
from hf_crosssight.ground_truth.datasets import parent_of
from hf_crosssight.ground_truth.tables import Task
from hf_crosssight.models import CrossSightModel
from hf_crosssight.tokens.dataset import DatasetTokens
from hf_crosssight.tokens.word_match import word_match
from hf_crosssight.zoo.index import ZooIndex

from .accelerated import accelerator
from .episodes import NOT_IN_TASK, Episode, EpisodeSampler, withhold_facts
from .ranker_checkpoint import Moving, RankerState
from .ranker_network import new_network, parameter_groups, view_tensors
from .recipe import RankerRecipe
from .view_scale import ViewScale
from .weight_mean import WeightMean

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class TrainedRanker:
    """A trained model and how it came out.

    Attributes:
        model (`CrossSightModel`): in eval mode.
        steps (`int`): updates after which it was taken.
        gate (`float`): factor on the dataset's part.
        match_weight (`float`, *optional*): weight of the word match; `None` for a ranker that takes none.
        validation (`float`, *optional*): mean weighted tau over the validation tasks; `None` without any.
        curves (`list[dict[str, float]]`): `step`, mean `loss` since the last and, where validated, `validation`.
    """

    model: CrossSightModel
    steps: int
    gate: float
    match_weight: float | None
    validation: float | None
    curves: list[dict[str, float]] = field(default_factory=list)


def train_ranker(
    tasks: Sequence[Task],
    zoo: ZooIndex,
    tokens: Mapping[str, Sequence[DatasetTokens]],
    *,
    validation: Sequence[Task] = (),
    consistency_zoo: ZooIndex | None = None,
    texts: Mapping[str, str] | None = None,
    recipe: RankerRecipe | None = None,
    config: Mapping[str, Any] | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> TrainedRanker:
    """Trains a ranker.

    Args:
        tasks: tasks to learn from.
        zoo (`ZooIndex`): views of the tasks' models (and of the validation's).
        tokens (`dict[str, Sequence[DatasetTokens]]`): token samples of each dataset, the richest last.
        validation: tasks to stop and to choose the gate on; without any, all steps are made and the gate stays 1.
        consistency_zoo (`ZooIndex`, *optional*): unlabelled models for the consistency term; `zoo` by default.
        texts (`dict[str, str]`, *optional*): description of each dataset, kept beside the references.
        recipe (`RankerRecipe`, *optional*).
        config (mapping, *optional*): fields of `CrossSightConfig` that differ from the default preset.
        checkpoint (`Path`, *optional*): file to keep the state in; one that is there is gone on from.
        progress (*optional*): called as `progress(step, done, total)`.

    The same input and seed give the same weights on one machine with one number of threads.
    """
    recipe = recipe or RankerRecipe()
    run = _Run(tasks, zoo, tokens, validation, consistency_zoo or zoo, texts or {}, recipe, config or {})
    return run.train(checkpoint, progress)


class _Run:
    """The state of one training."""

    def __init__(
        self,
        tasks: Sequence[Task],
        zoo: ZooIndex,
        tokens: Mapping[str, Sequence[DatasetTokens]],
        validation: Sequence[Task],
        unlabelled: ZooIndex,
        texts: Mapping[str, str],
        recipe: RankerRecipe,
        config: Mapping[str, Any],
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.devices = accelerator(recipe.mixed_precision)
        self.recipe, self.tokens = recipe, {key: [s.values for s in samples] for key, samples in tokens.items()}
        rows = {model_id: row for row, model_id in enumerate(zoo.model_ids)}
        self.views = view_tensors(zoo)
        self.unlabelled = self.views if unlabelled is zoo else view_tensors(unlabelled)
        self.scale = ViewScale(self.views)
        self.sampler = EpisodeSampler(
            tasks, self.tokens, rows, table_weight=recipe.table_weight, models_per_task=recipe.models_per_task,
            models_share=recipe.models_share, seed=recipe.seed,
        )  # fmt: skip
        self.validation = [task for task in validation if self.tokens.get(task.dataset)]
        self.val_rows = [np.array([rows[m] for m in task.models if m in rows]) for task in self.validation]
        self.val_scores = [
            task.scores[[i for i, m in enumerate(task.models) if m in rows]] for task in self.validation
        ]
        self.datasets = sorted({task.dataset for task in tasks if self.tokens.get(task.dataset)})
        models = sorted({model for task in tasks for model in task.models})
        self.words = {name: self.tokens[name][-1][-1:] for name in self.datasets}  # the text token comes last
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.model = new_network(zoo, tokens, texts, self.datasets, models, config)
        self.distances = self._distances()
        self.card = np.asarray(zoo.views["card"], np.float32) if self.model.config.evidence_size else None
        self.matches: dict[tuple[str, int], Tensor] = {}
        parents = [parent_of(name) for name in self.datasets]
        self.own_parent = {name: torch.tensor([p == parent_of(name) for p in parents]) for name in self.datasets}
        self.member_weight = self._member_weights()

    def _distances(self) -> dict[tuple[str, int], Tensor]:
        """Distance `[R]` of each token sample to the references: they do not change in training."""
        found = {}
        for key in self.datasets:
            for number, sample in enumerate(self.tokens[key]):
                found[key, number] = self.model.nearest_references(torch.from_numpy(sample)[None])[0]
        return found

    def _member_weights(self) -> dict[str, Tensor]:
        """Weight of each dataset for each ensemble member: a bootstrap over parents (exponential weights)."""
        rng = np.random.default_rng(self.recipe.seed)
        members = self.model.config.ensemble_size
        parents = sorted({parent_of(name) for name in self.datasets})
        drawn = dict(zip(parents, rng.exponential(size=(len(parents), members)).astype(np.float32), strict=True))
        return {name: torch.from_numpy(0.5 + 0.5 * drawn[parent_of(name)]) for name in self.datasets}

    def train(self, checkpoint: Path | None, progress: Progress | None) -> TrainedRanker:
        recipe = self.recipe
        optimizer = torch.optim.AdamW(parameter_groups(self.model, recipe.weight_decay), lr=recipe.learning_rate)
        self.network, optimizer = self.devices.prepare(self.model, optimizer)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            getattr(optimizer, "optimizer", optimizer), recipe.learning_rate, total_steps=recipe.steps, pct_start=0.15
        )
        mean = WeightMean(self.model, recipe.averaging)
        moving = Moving(self.model, mean, optimizer, self.sampler.rng, self.generator)
        state = RankerState({"recipe": asdict(recipe), "data": self.sampler.fingerprint()}, best_step=recipe.steps)
        if checkpoint is not None and checkpoint.is_file():
            state = moving.load(checkpoint, state.settings)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the updates that come before were made by another process
                for _ in range(state.step):
                    schedule.step()
        if self.devices.process_index:  # the processes must not all draw the same
            self.sampler.rng = np.random.default_rng([recipe.seed, self.devices.process_index, state.step])
        losses: list[float] = []
        while not state.done:
            losses.append(self._update(optimizer, state.step + 1))
            schedule.step()
            mean.update()
            state.step += 1
            if progress is not None and state.step % 25 == 0:
                progress("training", state.step, recipe.steps)
            if state.step % recipe.validate_every == 0 or state.step == recipe.steps:
                self._look(state, mean, losses)
                losses = []
                if checkpoint is not None and self.devices.is_main_process:
                    moving.save(checkpoint, state)
        self.model.load_state_dict(state.best_weights or mean.state())
        score = self._choose_dataset_part()
        self.model.cpu()
        self.scale.fold_into(self.model)
        self._center_members()
        return TrainedRanker(
            self.model.eval(), state.best_step, float(self.model.config.gate_scale), self._match_weight(), score,
            state.curves,
        )  # fmt: skip

    def _look(self, state: RankerState, mean: WeightMean, losses: Sequence[float]) -> None:
        """Notes the loss, validates where it is due, keeps the best, and says when nothing is left to do."""
        recipe = self.recipe
        figures = {"step": float(state.step), "loss": float(np.mean(losses))}
        if self.validation and state.step >= recipe.validate_from * recipe.steps:
            with mean.in_place():
                figures["validation"] = self._validate(1.0)
                if figures["validation"] > state.best:
                    state.best, state.best_step, state.stale = figures["validation"], state.step, 0
                    state.best_weights = copy.deepcopy(self.model.state_dict())
                else:
                    state.stale += 1
        state.curves.append(figures)
        state.done = state.step >= recipe.steps or state.stale >= recipe.patience

    def _update(self, optimizer: torch.optim.Optimizer, step: int) -> float:
        self.network.train()
        self.model.set_temperature(self.model.config.temperature_at(step / self.recipe.steps))
        episode = self.sampler.draw(self.recipe.batch).to(self.devices.device)
        views = {name: view[episode.models] for name, view in self.views.items()}
        if "structure" in views:
            views["structure"] = withhold_facts(views["structure"], self.recipe.facts_withheld, self.generator)
        output = self.network(
            episode.dataset_tokens, episode.dataset_mask, self._on_device(views), ranks=episode.ranks,
            evidence=self._evidence(episode),
            model_mask=episode.ranks != NOT_IN_TASK,
            member_weights=self._stacked(self.member_weight[name] for name in episode.datasets),
            exclude_references=self._stacked(self.own_parent[name] for name in episode.datasets),
            reference_distances=self._distances_of(episode),
        )  # fmt: skip
        loss = output.loss + self.recipe.consistency * self._consistency(episode)
        loss = loss + self.recipe.anchor * self._anchor(episode)
        optimizer.zero_grad(set_to_none=True)
        self.devices.backward(loss)
        self.devices.clip_grad_norm_(self.network.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    def _stacked(self, parts: Iterable[Tensor]) -> Tensor:
        return torch.stack(list(parts)).to(self.devices.device)

    def _distances_of(self, episode: Episode) -> Tensor:
        """Distances `[B, R]` of an episode's token samples to the references."""
        return self._stacked(self.distances[place] for place in zip(episode.datasets, episode.samples, strict=True))

    def _on_device(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Views standardised, where the network is."""
        return {name: view.to(self.devices.device) for name, view in self.scale.apply(views).items()}

    def _evidence(self, episode: Episode) -> Tensor | None:
        """Word match of each model with each task's dataset `[B, M, 1]`, its own parent taken off the references."""
        if self.card is None:
            return None
        drawn = zip(episode.datasets, episode.samples, episode.models, strict=True)
        return self._stacked(self._match(name, number)[models] for name, number, models in drawn).unsqueeze(-1)

    def _match(self, name: str, number: int) -> Tensor:
        """Word match `[M]` of every model with one token sample."""
        if (name, number) not in self.matches:
            assert self.card is not None
            others = [key for key in self.datasets if parent_of(key) != parent_of(name)]
            text = slice(*self.model.config.dataset_layout["text"])
            references = np.stack([self.words[key] for key in others])[..., text]
            match = word_match(self.tokens[name][number][:, text], self.card, references)
            self.matches[name, number] = torch.from_numpy(match)
        return self.matches[name, number]

    def _consistency(self, episode: Episode) -> Tensor:
        """Mean squared difference of scores with all facts and with some withheld, over unlabelled models."""
        if not self.recipe.consistency or "structure" not in self.unlabelled:
            return torch.zeros((), device=self.devices.device)
        count = len(next(iter(self.unlabelled.values())))
        rows = torch.randint(count, (self.recipe.consistency_models,), generator=self.generator)
        whole = {name: view[rows] for name, view in self.unlabelled.items()}
        less = {**whole, "structure": withhold_facts(whole["structure"], 0.6, self.generator)}
        both = self._on_device({name: torch.cat([whole[name], less[name]])[None] for name in whole})
        self.model.eval()  # the two must not differ by dropout
        output = self.model(
            episode.dataset_tokens[:1], episode.dataset_mask[:1], both,
            reference_distances=self._distances_of(episode)[:1],
        )  # fmt: skip
        self.model.train()
        known, unknown = output.member_scores[0].chunk(2)
        return (known.detach() - unknown).pow(2).mean() + 0.1 * (known - unknown.detach()).pow(2).mean()

    def _anchor(self, episode: Episode) -> Tensor:
        """Mean square of each member's mean score over some unlabelled models, on each dataset of the episode."""
        if not self.recipe.anchor:
            return torch.zeros((), device=self.devices.device)
        count, tasks = len(next(iter(self.unlabelled.values()))), len(episode.datasets)
        rows = torch.randint(count, (24,), generator=self.generator)
        views = self._on_device({name: view[rows] for name, view in self.unlabelled.items()})
        output = self.model(
            episode.dataset_tokens,
            episode.dataset_mask,
            {name: view.expand(tasks, *view.shape) for name, view in views.items()},
            reference_distances=self._distances_of(episode),
        )
        return output.member_scores.mean(1).pow(2).mean()

    @torch.no_grad()
    def _center_members(self) -> None:
        """Takes each member's mean over the unlabelled zoo off: the losses leave it free, the spread must not."""
        if self.model.static_heads is None:
            return
        views = {name: view.numpy() for name, view in self.unlabelled.items()}
        offsets = [
            self.model.score_zoo(self.tokens[name][-1], views).member_scores[0].mean(0) for name in self.datasets[:8]
        ]
        self.model.static_heads.bias.sub_(torch.stack(offsets).mean(0))

    def _validate(self, gate: float) -> float:
        """Mean over tables of the mean weighted tau of their validation tasks."""
        kept, self.model.config.gate_scale = self.model.config.gate_scale, gate
        by_table: dict[str, list[float]] = {}
        for task, index, scores in zip(self.validation, self.val_rows, self.val_scores, strict=True):
            if len(index) > 2:
                views = self.scale.apply({name: view[index] for name, view in self.views.items()})
                evidence = None
                if self.card is not None:
                    evidence = self._match(task.dataset, len(self.tokens[task.dataset]) - 1)[index, None]
                predicted = self.model.score_zoo(self.tokens[task.dataset][-1], views, evidence=evidence).scores[0]
                by_table.setdefault(task.table, []).append(weighted_tau(predicted.numpy(), scores))
        self.model.config.gate_scale = kept
        return float(np.mean([np.mean(taus) for taus in by_table.values()]))

    def _choose_dataset_part(self) -> float | None:
        """Sets gate and weight of the match to what validates best, and returns how well; a single choice is taken."""
        recipe, learnt = self.recipe, self._match_weight()
        weights = [None] if learnt is None else [*recipe.match_weights] if len(recipe.match_weights) == 1 else [
            learnt, *recipe.match_weights]  # fmt: skip
        if not self.validation:
            self._set_dataset_part(recipe.gates[0] if len(recipe.gates) == 1 else 1.0, weights[0])
            return None
        scored = {}
        for weight in weights:
            for gate in recipe.gates:
                self._set_dataset_part(gate, weight)
                scored[gate, weight] = self._validate(gate)
        best = max(scored, key=lambda choice: round(scored[choice], 4))
        self._set_dataset_part(*best)
        return scored[best]

    @torch.no_grad()
    def _set_dataset_part(self, gate: float, match_weight: float | None) -> None:
        self.model.config.gate_scale = gate
        if self.model.evidence_head is not None and match_weight is not None:
            self.model.evidence_head.weight[0, 0] = match_weight

    def _match_weight(self) -> float | None:
        return None if self.model.evidence_head is None else float(self.model.evidence_head.weight[0, 0].detach())
