"""Model tokens of the ablations: what the ranker reads of a model, everything else left out.

Encoders of weights are trained for each fold on the zoo without the blind models and their kin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from hf_crosssight.hub.places import atomic_file
from hf_crosssight.models import Arch2VecConfig
from hf_crosssight.tokens.arch2vec import codes_of
from hf_crosssight.training.encoder_corpus import EncoderCorpus, read_corpus
from hf_crosssight.training.encoder_trainer import EncoderRecipe, train_encoder
from hf_crosssight.zoo.index import ZooIndex

AUTOENCODER, STATISTICS, CONTRASTIVE, NONE, LEARNED = "autoencoder", "statistics", "contrastive", "none", "learned"
_CHUNK = 1024
_EPOCHS = {AUTOENCODER: 8, CONTRASTIVE: 10}


def read_weights(zoo: Path, models: list[str]) -> dict[str, EncoderCorpus]:
    """What both encoders read of the models, in their order."""
    found = {AUTOENCODER: read_corpus(zoo, chunk_length=_CHUNK), CONTRASTIVE: read_corpus(zoo)}
    for name, corpus in found.items():
        rows = {model: row for row, model in enumerate(corpus.ids)}
        found[name] = corpus.take(np.array([rows[model] for model in models]))
    return found


def codes(corpora: Mapping[str, EncoderCorpus], kind: str, held: set[str]) -> np.ndarray:
    """Codes `[M, n, 129]` of all models by an encoder that has not seen those in `held`."""
    corpus = corpora[kind]
    known = corpus.take(np.flatnonzero([model not in held for model in corpus.ids]))
    preset = "thesis" if kind == AUTOENCODER else "default"
    recipe = EncoderRecipe(epochs=_EPOCHS[kind], validation=0.0)
    trained = train_encoder(known, Arch2VecConfig.from_preset(preset), recipe=recipe)
    found = codes_of(corpus.samples[:, 0].astype(np.float32), trained.model)
    return found[:, :1] if kind == AUTOENCODER else found


@dataclass
class CodeFiles:
    """Codes of encoders, each trained once and kept in a file named by the models that it may not see."""

    zoo: Path
    models: list[str]
    folder: Path

    def __call__(self, kind: str, held: set[str]) -> np.ndarray | None:
        """Codes `[M, n, 129]` of all models; `None` for a kind of token that no encoder makes."""
        if kind not in _EPOCHS:
            return None
        digest = hashlib.sha256("|".join([kind, str(_EPOCHS[kind]), *sorted(held)]).encode()).hexdigest()[:16]
        path = self.folder / f"{kind}-{digest}.npy"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = codes(self._weights, kind, held)
            with atomic_file(path) as temporary, temporary.open("wb") as file:
                np.save(file, made)
        return np.asarray(np.load(path), np.float32)

    @cached_property
    def _weights(self) -> dict[str, EncoderCorpus]:
        return read_weights(self.zoo, self.models)


def zoo_with(zoo: ZooIndex, kind: str, made: np.ndarray | None, blind: set[str]) -> ZooIndex:
    """The zoo with one view alone. A learned token is there for known models only; `none` says the structure."""
    if kind == LEARNED:
        view = np.zeros((len(zoo), 1, 1 + len(zoo)), np.float32)
        known = [row for row, model in enumerate(zoo.model_ids) if model not in blind]
        view[known, 0, 0] = 1.0
        view[known, 0, 1 + np.array(known)] = 1.0
    elif made is not None:
        view = made
    else:
        view = np.asarray(zoo.views["weights" if kind == STATISTICS else "structure"], np.float32)
    name = "structure" if kind == NONE else "token"
    return ZooIndex(f"{zoo.id}, {kind}", zoo.table, {name: view}, {name: (view[..., 0] > 0.5).any(1)})
