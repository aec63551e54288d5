"""`train_encoder`: a corpus in, a trained `Arch2VecModel` out, on whatever devices accelerate finds.

An epoch draws everything from its own seed and ends in a checkpoint, so that a training that was killed and gone on
with takes the same steps as one that was not: on one machine, the same weights bit by bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hf_crosssight.models import Arch2VecConfig, Arch2VecModel

from .accelerated import accelerator
from .encoder_batches import EncoderBatch, batches_of
from .encoder_checkpoint import TrainingState, load_state, save_state
from .encoder_corpus import EncoderCorpus
from .encoder_validation import validate

if TYPE_CHECKING:
    from accelerate import Accelerator

Progress = Callable[[str, int, int | None], None]

_WARM_UP = 0.1


@dataclass(frozen=True)
class EncoderRecipe:
    """How to train.

    Attributes:
        epochs: over the models (each drawn `draws` times) or over the chunks (each once).
        batch: models in an update; of chunks eight times as many.
        draws: times that a model is drawn in an epoch.
        learning_rate: peak of a schedule that warms up over a tenth and falls by a cosine (AdamW).
        weight_decay: of AdamW.
        validation: share of the models held out, whole lineages; the weights that validate best are kept.
        seed: of everything drawn.
    """

    epochs: int = 20
    batch: int = 32
    draws: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    validation: float = 0.2
    seed: int = 0

    def rate_at(self, progress: float) -> float:
        """Learning rate when a share `progress` in [0, 1] of the updates is done."""
        if progress < _WARM_UP:
            return self.learning_rate * progress / _WARM_UP
        return self.learning_rate * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP))) / 2


@dataclass(frozen=True)
class TrainedEncoder:
    """A trained model and how it came out.

    Attributes:
        model (`Arch2VecModel`): in eval mode, on the CPU.
        curves (`list[dict[str, float]]`): figures of each epoch.
        best_epoch (`int`): the epoch that the weights are of, counted from 1.
        train_rows, validation_rows (`np.ndarray`): places in the corpus.
    """

    model: Arch2VecModel
    curves: list[dict[str, float]]
    best_epoch: int
    train_rows: np.ndarray
    validation_rows: np.ndarray


def train_encoder(
    corpus: EncoderCorpus,
    config: Arch2VecConfig,
    *,
    recipe: EncoderRecipe | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> TrainedEncoder:
    """Trains an encoder.

    Args:
        corpus: models; some lineages are held out to validate on.
        config: of the network and its losses.
        recipe (`EncoderRecipe`, *optional*).
        checkpoint (`Path`, *optional*): file to keep the state in after each epoch.
        resume (`bool`): go on from that file if it is there.
        progress (*optional*): called as `progress(step, done, total)`.

    Raises:
        UserError: accelerate is not installed; the checkpoint is damaged or is of another training.
    """
    run = _Run(corpus, config, recipe or EncoderRecipe(), accelerator())
    run.start(checkpoint if resume else None)
    run.train(checkpoint, progress)
    return run.result()


class _Run:
    """The state of one training."""

    def __init__(
        self, corpus: EncoderCorpus, config: Arch2VecConfig, recipe: EncoderRecipe, accelerator: Accelerator
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.accelerator = recipe, accelerator
        self.train_rows, self.validation_rows = corpus.split(recipe.validation, recipe.seed)
        known, self.held = corpus.take(self.train_rows), corpus.take(self.validation_rows)
        config.trained_on = {"models": list(known.ids)}
        self.batches = batches_of(known, config, recipe.batch, recipe.draws)
        model = Arch2VecModel(config)
        model.fit_scale(torch.from_numpy(known.samples[:, 0]).float())
        optimizer = torch.optim.AdamW(_groups(model, recipe.weight_decay), lr=recipe.learning_rate)
        self.model, self.optimizer = accelerator.prepare(model, optimizer)
        chosen = {k: v for k, v in config.to_diff_dict().items() if k not in ("trained_on", "transformers_version")}
        self.state = TrainingState({"zoo": corpus.fingerprint, "configuration": chosen, "recipe": asdict(recipe)})

    @property
    def bare(self) -> Arch2VecModel:
        """The network without what accelerate wraps around it."""
        return self.accelerator.unwrap_model(self.model)

    def start(self, checkpoint: Path | None) -> None:
        if checkpoint is not None and checkpoint.is_file():
            self.state = load_state(checkpoint, self.state.settings, self.bare, self.optimizer.optimizer)

    def train(self, checkpoint: Path | None, progress: Progress | None) -> None:
        total = self.recipe.epochs * len(self.batches)
        for epoch in range(self.state.epoch, self.recipe.epochs):
            figures = {"epoch": float(epoch + 1), **self._epoch(epoch, total, progress)}
            if len(self.held):
                figures |= {f"validation_{k}": v for k, v in validate(self.bare, self.held).items()}
            self.state.curves.append(figures)
            self.state.epoch = epoch + 1
            self._keep_best()
            if checkpoint is not None and self.accelerator.is_main_process:
                save_state(checkpoint, self.state, self.bare, self.optimizer.optimizer)

    def _epoch(self, epoch: int, total: int, progress: Progress | None) -> dict[str, float]:
        """Trains for one epoch; gives the mean of each loss."""
        self.model.train()
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + epoch)
        torch.manual_seed(self.recipe.seed * 100_003 + epoch)  # for dropout
        sums: dict[str, float] = {}
        for number, batch in enumerate(self.batches.epoch(generator)):
            done = epoch * len(self.batches) + number
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.rate_at((done + 0.5) / total)
            for name, value in self._update(batch).items():
                sums[name] = sums.get(name, 0.0) + value
            if progress is not None:
                progress("training", done + 1, total)
        return {name: value / len(self.batches) for name, value in sums.items()}

    def _update(self, batch: EncoderBatch) -> dict[str, float]:
        shared = batch.share(self.accelerator.process_index, self.accelerator.num_processes)
        output: Any = self.model(**shared.arguments(self.accelerator.device))
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(output.loss)
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return {"loss": float(output.loss.detach()), **{k: float(v.detach()) for k, v in output.losses.items()}}

    def _keep_best(self) -> None:
        reached = self.state.curves[-1].get("validation_reconstruction")
        before = [figures["validation_reconstruction"] for figures in self.state.curves[:-1] if reached is not None]
        if reached is None or not before or reached <= min(before):
            self.state.best = {name: value.detach().clone() for name, value in self.bare.state_dict().items()}
            self.state.best_epoch = self.state.epoch

    def result(self) -> TrainedEncoder:
        model = self.bare.cpu().eval()
        if self.state.best:
            model.load_state_dict(self.state.best)
        return TrainedEncoder(model, self.state.curves, self.state.best_epoch, self.train_rows, self.validation_rows)


def _groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay, vectors do not."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
