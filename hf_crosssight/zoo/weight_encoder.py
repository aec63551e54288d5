"""A trained weight encoder, of a folder or of the Hub, as what makes the arch2vec views of an index."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.tokens.weights import WEIGHTS_SHAPE

if TYPE_CHECKING:
    from hf_crosssight.hub.client import HubClient
    from hf_crosssight.models import Arch2VecModel


class LoadedEncoder:
    """An encoder with the id that an index records: `NAME@` and digits of the hash of its weights."""

    def __init__(self, model: Arch2VecModel, name: str) -> None:
        from hf_crosssight.tokens.arch2vec import encoder_id

        self._model = model
        self.id = encoder_id(model, name)

    def codes(self, views: np.ndarray) -> np.ndarray:
        """Weights views `[M, n, Dv]` to codes, float32."""
        from hf_crosssight.tokens.arch2vec import codes_of

        return codes_of(views, self._model)


def load_weight_encoder(name: str, client: HubClient) -> LoadedEncoder:
    """The encoder of a folder or a Hub id.

    Raises:
        UserError: there is none, or it does not read this release's weights views. HubError: the Hub fails.
    """
    from hf_crosssight.tokens.arch2vec import load_encoder

    folder = Path(name)
    if not folder.is_dir():
        repo = client.resolve(name, "model")
        folder = client.snapshot(repo, ["config.json", "*.safetensors"])
    called = Path(name).name if Path(name).is_dir() else name
    encoder = load_encoder(folder)
    if encoder.config.input_kind == "chunks":
        raise UserError(
            f"{called} is of the preset thesis, which reads chunks of weights, not the weights views of an index",
            "Train one with `train encoder --preset default`.",
        )
    loaded = LoadedEncoder(encoder, called)
    loaded.codes(np.zeros((1, *WEIGHTS_SHAPE), np.float32))  # one that does not fit is told before the work begins
    return loaded
