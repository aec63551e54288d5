"""Do the codes of layers fall into groups? The thesis' cluster picture in numbers: projections and silhouettes.

A silhouette (Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis",
1987) is 1 where a group stands apart and 0 where groups overlap; it is given beside that of shuffled labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hf_crosssight.models import Arch2VecModel
from hf_crosssight.tokens.tensor_kinds import KINDS

from .encoder_corpus import EncoderCorpus

COLOURINGS = ("layer kind", "architecture family", "source dataset")
_MOST_POINTS = 1500
_FEWEST_OF_A_GROUP = 10
_BATCH = 32


@dataclass(frozen=True)
class LayerClusters:
    """N layers of a zoo.

    Attributes:
        codes (`np.ndarray`): float32 `[N, H]`.
        labels (`dict[str, tuple[str, ...]]`): per colouring a label for each layer, `""` where unknown.
        projections (`dict[str, np.ndarray]`): `PCA` and `t-SNE`, `[N, 2]`.
        silhouettes (`dict[str, float]`): per colouring; NaN where fewer than two groups have ten layers.
        by_chance (`dict[str, float]`): the same with shuffled labels.
    """

    codes: np.ndarray
    labels: dict[str, tuple[str, ...]]
    projections: dict[str, np.ndarray]
    silhouettes: dict[str, float]
    by_chance: dict[str, float]


def layer_clusters(model: Arch2VecModel, corpus: EncoderCorpus, seed: int = 0) -> LayerClusters:
    """Clusters of the corpus' layers (chunks, in the thesis' preset); of very many, a sample is taken."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    codes, labels = layer_codes(model, corpus)
    rng = np.random.default_rng(seed)
    if len(codes) > _MOST_POINTS:
        kept = np.sort(rng.permutation(len(codes))[:_MOST_POINTS])
        codes, labels = codes[kept], {name: tuple(of[row] for row in kept) for name, of in labels.items()}
    scaled = (codes - codes.mean(0)) / np.maximum(codes.std(0), 1e-6)
    size = min(32, *scaled.shape)
    reduced = PCA(size, random_state=seed).fit_transform(scaled)
    spread = min(30.0, max((len(codes) - 1) / 3, 1.0))
    drawn = TSNE(2, perplexity=spread, init="pca", random_state=seed).fit_transform(reduced)
    silhouettes = {name: silhouette(reduced, of) for name, of in labels.items()}
    shuffled = {name: tuple(rng.permutation(np.array(of))) for name, of in labels.items()}
    by_chance = {name: silhouette(reduced, of) for name, of in shuffled.items()}
    return LayerClusters(codes, labels, {"PCA": reduced[:, :2], "t-SNE": drawn}, silhouettes, by_chance)


@torch.inference_mode()
def layer_codes(model: Arch2VecModel, corpus: EncoderCorpus) -> tuple[np.ndarray, dict[str, tuple[str, ...]]]:
    """The code `[N, H]` of every layer of the corpus and its label by each colouring."""
    model.eval()
    parts, rows, kinds = [], [], []
    for start in range(0, len(corpus), _BATCH):
        tokens = torch.from_numpy(corpus.samples[start : start + _BATCH, 0].astype(np.float32)).to(model.device)
        states = model(tokens).token_codes.float().cpu().numpy()
        real = corpus.kinds[start : start + _BATCH] >= 0
        parts.append(states[real])
        kinds.append(corpus.kinds[start : start + _BATCH][real])
        rows.append(start + np.nonzero(real)[0])
    models = np.concatenate(rows)
    columns = (
        tuple(KINDS[kind] for kind in np.concatenate(kinds)),
        tuple(corpus.families[row] for row in models),
        tuple(corpus.sources[row] for row in models),
    )
    return np.concatenate(parts), dict(zip(COLOURINGS, columns, strict=True))


def silhouette(points: np.ndarray, labels: Sequence[str]) -> float:
    """Mean silhouette of points `[N, D]` over groups of at least ten; NaN of fewer than two."""
    from sklearn.metrics import silhouette_score

    names, counts = np.unique(np.array(labels), return_counts=True)
    large = {name for name, count in zip(names, counts, strict=True) if name and count >= _FEWEST_OF_A_GROUP}
    kept = np.array([label in large for label in labels])
    if len(large) < 2:
        return float("nan")
    return float(silhouette_score(points[kept], np.array(labels)[kept]))
