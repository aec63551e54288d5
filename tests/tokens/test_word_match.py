"""The match of words against its definition, and what it says where words are missing."""

from types import SimpleNamespace

import numpy as np
import torch

from hf_crosssight.tokens.word_match import evidence_of, word_match

RNG = np.random.default_rng(0)
CARDS = RNG.normal(size=(5, 1, 400)).astype(np.float32)
REFERENCES = RNG.normal(size=(3, 2, 387)).astype(np.float32)
TEXT = RNG.normal(size=(1, 387)).astype(np.float32)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_it_is_the_cosine_less_the_mean_cosine_with_the_references():
    match = word_match(TEXT, CARDS, REFERENCES)
    for row in range(5):
        card = CARDS[row, 0, -384:]
        usual = np.mean([cosine(card, reference[:, :384].sum(0)) for reference in REFERENCES])
        assert np.isclose(match[row], 10 * (cosine(card, TEXT[0, :384]) - usual), atol=1e-4)


def test_models_and_datasets_without_words_have_no_match():
    cards = CARDS.copy()
    cards[2, 0, -384:] = 0
    assert np.isnan(word_match(TEXT, cards, REFERENCES)).tolist() == [False, False, True, False, False]
    assert np.isnan(word_match(np.zeros_like(TEXT), cards, REFERENCES)).all()


def test_padding_references_count_not():
    padded = np.concatenate([REFERENCES, np.zeros_like(REFERENCES)])
    assert np.allclose(word_match(TEXT, CARDS, padded), word_match(TEXT, CARDS, REFERENCES), atol=1e-5)


def test_a_ranker_without_evidence_gets_none_and_others_their_columns():
    config = SimpleNamespace(evidence_size=0, dataset_layout={"text": [3, 390]})
    tokens = np.concatenate([np.zeros((1, 3), np.float32), TEXT], axis=1)
    references = torch.from_numpy(np.concatenate([np.zeros((3, 2, 3), np.float32), REFERENCES], axis=2))
    model = SimpleNamespace(config=config, reference_tokens=references)
    assert evidence_of(model, tokens, {"card": CARDS}) is None
    config.evidence_size = 2
    evidence = evidence_of(model, tokens, {"card": CARDS})
    assert np.allclose(evidence[:, 0], word_match(TEXT, CARDS, REFERENCES), atol=1e-5)
    assert np.isnan(evidence[:, 1]).all()
