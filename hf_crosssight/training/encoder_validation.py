"""How good an encoder is on models whose lineage it was not trained on."""

from __future__ import annotations

import numpy as np
import torch

from hf_crosssight.models import Arch2VecModel

from .encoder_corpus import EncoderCorpus

_CHUNK = 64  # models at a time


@torch.inference_mode()
def validate(model: Arch2VecModel, corpus: EncoderCorpus, seed: int = 0) -> dict[str, float]:
    """`reconstruction` of the corpus' models (of hidden tensors, the same ones each time) and `retrieval`.

    `retrieval` is the share of models whose one sample has the model's other sample nearest among all, by the cosine
    of the pooled codes; left out where there are no two samples.
    """
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    sums = np.zeros(2)
    for rows in np.array_split(np.arange(len(corpus)), -(-len(corpus) // _CHUNK)):
        tokens = torch.from_numpy(corpus.samples[rows, 0]).float().to(model.device)
        hidden = None
        if model.config.mask_share:
            drawn = torch.rand(tokens.shape[:2], generator=generator).to(model.device)
            hidden = (drawn < model.config.mask_share) & (tokens[..., 0] > 0.5)
            hidden[:, 0] = False
        losses = model(tokens, hidden, labels=tokens).losses
        sums += float(losses["reconstruction"]) * len(rows), len(rows)
    found = {"reconstruction": float(sums[0] / sums[1])}
    if corpus.samples.shape[1] >= 3 and len(corpus) > 1:
        found["retrieval"] = retrieval_at_1(*(pooled_codes(model, corpus.samples[:, part]) for part in (1, 2)))
    return found


@torch.inference_mode()
def pooled_codes(model: Arch2VecModel, samples: np.ndarray) -> np.ndarray:
    """Float32 `[M, C]`: row 0 of the codes of `[M, T, D]`."""
    model.eval()
    parts = []
    for start in range(0, len(samples), _CHUNK):
        tokens = torch.from_numpy(np.asarray(samples[start : start + _CHUNK], np.float32)).to(model.device)
        parts.append(model(tokens).codes[:, 0].float().cpu().numpy())
    return np.concatenate(parts)


def retrieval_at_1(first: np.ndarray, second: np.ndarray) -> float:
    """Share of rows of `first` `[M, C]` whose nearest row of `second`, by cosine about the mean, is their own."""
    center = np.concatenate([first, second]).mean(0)
    unit = [part - center for part in (first, second)]
    unit = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-9) for part in unit]
    return float(((unit[0] @ unit[1].T).argmax(1) == np.arange(len(first))).mean())
