"""What a zoo becomes before an encoder learns from it: chunks, tensor tokens, batches, and a split by lineage."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from hf_crosssight.errors import UserError
from hf_crosssight.hub.weight_files import folder_weights
from hf_crosssight.models import Arch2VecConfig
from hf_crosssight.tokens.tensor_kinds import KINDS
from hf_crosssight.tokens.weights import COLUMNS, WEIGHTS_SHAPE
from hf_crosssight.training.encoder_batches import ChunkBatches, TensorTokenBatches
from hf_crosssight.training.encoder_chunks import model_chunks
from hf_crosssight.training.encoder_corpus import read_corpus
from tests.training.small_zoo import write_zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return write_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="module")
def corpus(zoo):
    return read_corpus(zoo)


def test_chunks_are_the_normalised_weights_in_order(tmp_path):
    weight = np.random.default_rng(0).normal(3.0, 2.0, (10, 10)).astype(np.float32)
    tensors = {"a.weight": weight, "b.bias": np.arange(5, dtype=np.float32), "c.weight": np.ones((8, 8), np.float32)}
    save_file(tensors, tmp_path / "model.safetensors")
    chunks, kinds = model_chunks(folder_weights(tmp_path), length=64, most=5)
    flat = (weight.ravel() - weight.mean()) / weight.std()
    assert chunks.shape == (5, 65)
    assert chunks[:, 0].tolist() == [1, 1, 0, 0, 0]  # five biases are too few, a constant matrix says nothing
    assert np.allclose(chunks[0, 1:], flat[:64], atol=2e-3)
    assert np.allclose(chunks[1, 1:37], flat[64:], atol=2e-3)
    assert not chunks[1, 37:].any()
    assert [KINDS[k] for k in kinds[:2]] == [KINDS[kinds[0]]] * 2
    assert (kinds[2:] == -1).all()


def test_more_chunks_than_asked_for_are_taken_evenly(tmp_path):
    ramp = np.repeat(np.arange(10, dtype=np.float32), 64).reshape(20, 32)
    save_file({"a.weight": ramp}, tmp_path / "model.safetensors")
    chunks, _ = model_chunks(folder_weights(tmp_path), length=64, most=4)
    levels = chunks[:, 1:].mean(1) * ramp.std() + ramp.mean()
    assert np.allclose(levels, [0, 3, 6, 9], atol=0.01)


def test_weights_that_are_no_numbers_do_not_spread(tmp_path):
    weight = np.random.default_rng(0).normal(size=(10, 10)).astype(np.float32)
    weight[0, 0], weight[3, 3] = np.nan, np.inf
    save_file({"a.weight": weight}, tmp_path / "model.safetensors")
    chunks, _ = model_chunks(folder_weights(tmp_path), length=64, most=2)
    assert np.isfinite(chunks).all()
    save_file({"a.weight": np.full((10, 10), np.nan, np.float32)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="no tensor holds weights"):
        model_chunks(folder_weights(tmp_path), length=64)


def test_a_corpus_tells_models_samples_and_facts(corpus):
    assert len(corpus) == 12
    assert corpus.samples.shape == (12, 3, *WEIGHTS_SHAPE)
    assert set(corpus.sources) == {"mnist", "cifar10"}
    assert corpus.families[0] == "resnet"
    layers = {KINDS[k] for k in corpus.kinds[0] if k >= 0}
    assert {"stem", "conv", "norm", "head"} <= layers
    assert (corpus.samples[:, 1] != corpus.samples[:, 2]).any()


def test_the_fingerprint_is_that_of_the_content(zoo, corpus):
    assert read_corpus(zoo).fingerprint == corpus.fingerprint
    assert corpus.take(np.arange(11)).fingerprint != corpus.fingerprint
    joined = corpus.take(np.arange(3)).joined(corpus.take(np.arange(3, 12)))
    assert joined.fingerprint == corpus.fingerprint
    with pytest.raises(ValueError, match="do not join"):
        corpus.joined(read_corpus(zoo, chunk_length=64))


def test_lineages_stay_together(corpus):
    train, held = corpus.split(0.25, seed=0)
    assert sorted([*train, *held]) == list(range(12))
    assert len(held) >= 2
    assert not {corpus.lineages[row] for row in train} & {corpus.lineages[row] for row in held}
    assert len(corpus.split(0.0, seed=0)[1]) == 0


def test_models_without_weights_are_told_and_an_empty_zoo_is_an_error(zoo, tmp_path):
    write_zoo(tmp_path / "some", models=2)
    broken = tmp_path / "some" / "net9"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    save_file({"a.weight": np.zeros((4, 4), np.int64)}, broken / "model.safetensors")
    found = read_corpus(tmp_path / "some")
    assert found.ids == ("net0", "net1")
    assert [name for name, _ in found.skipped] == ["net9"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no model repository"):
        read_corpus(tmp_path / "empty")


def test_an_index_has_weights_views_and_no_chunks(zoo, corpus, tmp_path):
    from hf_crosssight.zoo.index import ZooIndex
    from hf_crosssight.zoo.open import open_zoo

    facts = open_zoo(zoo)
    views = {"weights": corpus.samples[:, 0]}
    mask = {"weights": np.arange(12) != 5}
    ZooIndex("z", facts.table, {**facts.views, **views}, {**facts.view_mask, **mask}).save(tmp_path / "index")
    found = read_corpus(tmp_path / "index")
    assert len(found) == 11
    assert found.skipped == (("net5", "has no weights view"),) or found.skipped[0][1] == "has no weights view"
    assert np.array_equal(found.samples[:, 0], corpus.samples[np.arange(12) != 5, 0])
    with pytest.raises(UserError, match="holds no weights"):
        read_corpus(tmp_path / "index", chunk_length=64)


def test_batches_hide_drop_and_change_as_the_configuration_says(corpus):
    config = Arch2VecConfig(mask_share=0.5, token_dropout=0.5, identity_dropout=0.5, noise=0.1, family_batches=0.9)
    batches = TensorTokenBatches(corpus, config, size=6, draws=20)
    drawn = list(batches.epoch(torch.Generator().manual_seed(0)))
    again = list(batches.epoch(torch.Generator().manual_seed(0)))
    assert all(torch.equal(a.tokens, b.tokens) for a, b in zip(drawn, again, strict=True))
    assert len(drawn) == 40
    labels = torch.cat([batch.labels for batch in drawn])
    tokens = torch.cat([batch.tokens for batch in drawn])
    valid, kept = labels[:, 1:, 0] > 0.5, tokens[:, 1:, 0] > 0.5
    assert torch.equal(valid, kept)  # what is left out altogether is not asked for either
    layers = (corpus.kinds >= 0).sum(1).mean()
    assert 0.4 < kept.sum() / (len(kept) * layers) < 0.6
    hidden = torch.cat([batch.bool_masked_pos for batch in drawn])
    assert not hidden[:, 0].any()
    assert 0.4 < hidden[:, 1:][kept].float().mean() < 0.6
    named = (tokens[:, 1:, COLUMNS.index("numel")] != 0)[kept]
    assert 0.4 < named.float().mean() < 0.65
    statistic = COLUMNS.index("log_gain")
    ratio = (tokens[:, 1:, statistic] / labels[:, 1:, statistic])[kept & (labels[:, 1:, statistic].abs() > 0.1)]
    assert 0.08 < (ratio - 1).std() < 0.12
    kinds = slice(COLUMNS.index("kind_stem"), COLUMNS.index("rows"))
    assert torch.equal(tokens[:, 1:, kinds][kept], labels[:, 1:, kinds][kept])


def test_batches_without_changes_are_the_models(corpus):
    calm = dict.fromkeys(("mask_share", "token_dropout", "identity_dropout", "summary_dropout", "noise"), 0.0)
    batch = next(TensorTokenBatches(corpus, Arch2VecConfig(**calm), 4, 2).epoch(torch.Generator().manual_seed(0)))
    assert torch.equal(batch.tokens, batch.labels)
    assert not batch.bool_masked_pos.any()
    assert not torch.equal(batch.pair_tokens, batch.tokens)
    half = batch.share(1, 2)
    assert torch.equal(half.tokens, batch.tokens[1::2])
    assert half.sources is None


def test_every_chunk_is_seen_once_an_epoch(zoo):
    corpus = read_corpus(zoo, chunk_length=64)
    batches = ChunkBatches(corpus, size=50)
    seen = torch.cat([batch.tokens[:, 0] for batch in batches.epoch(torch.Generator().manual_seed(1))])
    real = corpus.samples.reshape(-1, 65)
    real = torch.from_numpy(real[real[:, 0] > 0.5]).float()
    assert len(batches) == -(-len(real) // 50)
    assert torch.allclose(seen.sum(0), real.sum(0), atol=1e-2)
    assert len(seen) == len(real)
