"""EMMS as a ranker: the `transferability` method with the label texts' embeddings made from the class names.

Source: Meng et al., "Foundation model is efficient multimodal multitask model selector" (NeurIPS 2023). The paper
embeds the labels by CLIP, BERT and GPT-2; here the project's text encoder reads each name under three prompts, which
takes the place of the K embeddings that the alternating least squares weighs.

It learns nothing from a history, but needs the features of every candidate on the target's images.
"""

from __future__ import annotations

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.transferability import score as transferability_score

from .history import Array, History, Target

_PROMPTS = ("{}", "a photo of {}", "an image that shows {} and nothing else")


class Emms:
    """Scores by how well the features predict the label texts' embeddings; candidates without features come last."""

    def fit(self, history: History) -> Emms:
        """Nothing to learn."""
        return self

    def score(self, target: Target) -> Array:
        """`[M]` EMMS scores; where features are missing, one less than the lowest.

        Raises `UserError` without labels, class names or any features.
        """
        if target.labels is None or not target.class_names:
            raise UserError("emms needs the labels and the class names of the target", "pass labels and class_names")
        if not target.features:
            raise UserError("emms needs the candidates' features on the target's images", "extract them first")
        embeddings = label_embeddings(target.class_names)
        found = np.full(len(target.models.ids), np.nan)
        for row, model in enumerate(target.models.ids):
            if model in target.features:
                found[row] = transferability_score(
                    "emms", features=target.features[model], labels=target.labels, label_embeddings=embeddings
                )
        if np.isnan(found).all():
            raise UserError("none of the candidates has features", "name them as the candidates are named")
        return np.where(np.isnan(found), np.nanmin(found) - 1.0, found)


def label_embeddings(names: tuple[str, ...]) -> Array:
    """`[C, E, K]`: every class name under K prompts."""
    from hf_crosssight.tokens.text import embed_texts

    readable = [name.replace("_", " ") for name in names]
    kinds = [embed_texts([prompt.format(name) for name in readable]) for prompt in _PROMPTS]
    return np.stack(kinds, axis=2).astype(np.float64)
