"""The `default` preset of the weight encoder: a network as a set of tensor tokens."""

import torch
from torch import Tensor, nn

from .attention_crosssight import CrossSightDecoderLayer, CrossSightEncoderLayer, additive_mask
from .chunks_arch2vec import Arch2VecPerceptron
from .configuration_arch2vec import Arch2VecConfig
from .losses_arch2vec import nt_xent, reconstruction_error, source_contrast, weighted_mean
from .normalization_arch2vec import Arch2VecNormalizer


class Arch2VecSetEncoder(nn.Module):
    """Self-attention among tensors, then seeds that attend to them; the order of tensors does not matter."""

    def __init__(self, config: Arch2VecConfig, num_given: int, num_rebuilt: int):
        super().__init__()
        size = config.hidden_size
        self.embed_given = nn.Linear(num_given, size)
        self.embed_rest = nn.Linear(num_rebuilt, size, bias=False)
        self.embed_summary = nn.Linear(num_given + num_rebuilt, size)
        self.hidden_token = nn.Parameter(torch.zeros(size))
        # The blocks read the sizes under names that both configurations have.
        self.layers = nn.ModuleList(
            CrossSightEncoderLayer(config)  # type: ignore[arg-type]
            for _ in range(config.num_hidden_layers)
        )
        self.norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.seeds = nn.Parameter(torch.zeros(config.num_seeds, size))
        self.pooling = CrossSightDecoderLayer(config)  # type: ignore[arg-type]
        self.pooled_norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.seed_code = nn.Linear(size, config.code_size)
        self.model_code = nn.Linear(config.num_seeds * size, config.code_size)

    def forward(self, given: Tensor, rest: Tensor, valid: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
        """Takes standardised columns `[B, T, G]` and `[B, T, R]`, what is valid and what is hidden `[B, T]`.

        Returns:
            Codes `[B, 1 + seeds, C]` and the tokens' states `[B, T, H]`.
        """
        summary = self.embed_summary(torch.cat([given[:, :1], rest[:, :1]], dim=-1))
        embedded = self.embed_rest(rest)
        if hidden is not None:
            embedded = torch.where(hidden[..., None], self.hidden_token, embedded)
        states = torch.cat([summary, (self.embed_given(given) + embedded)[:, 1:]], dim=1)
        mask = additive_mask(valid, states.dtype)
        for layer in self.layers:
            states = layer(states, mask)
        states = torch.where(valid[..., None], self.norm(states), 0.0)
        seeds = self.seeds.expand(len(states), *self.seeds.shape)
        pooled = self.pooled_norm(self.pooling(seeds, *self.pooling.project_memory(states), mask)[0])
        codes = torch.cat([self.model_code(pooled.flatten(1))[:, None], self.seed_code(pooled)], dim=1)
        return codes, states


class Arch2VecSetDecoder(nn.Module):
    """Rebuilds the statistics of a tensor from the codes of its model, told which tensor it is."""

    def __init__(self, config: Arch2VecConfig, num_given: int, num_rebuilt: int):
        super().__init__()
        self.question = nn.Linear(num_given, config.hidden_size)
        self.memory = nn.Linear(config.code_size, config.hidden_size)
        self.layer = CrossSightDecoderLayer(config)  # type: ignore[arg-type]
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.answer = nn.Linear(config.hidden_size, num_rebuilt)

    def forward(self, given: Tensor, codes: Tensor) -> Tensor:
        """Takes the given columns `[B, T, G]` and codes `[B, 1 + seeds, C]`; gives the others `[B, T, R]`."""
        states, _ = self.layer(self.question(given), *self.layer.project_memory(self.memory(codes)))
        return self.answer(self.norm(states))


class Arch2VecTensorBody(nn.Module):
    """Normalisation, set transformer, decoder, and the projection in which models are contrasted."""

    def __init__(self, config: Arch2VecConfig):
        super().__init__()
        self.config = config
        self.given_spans = sorted(tuple(span) for span in config.given_columns)
        self.rebuilt_spans = complement(self.given_spans, 1, config.input_columns)
        sizes = [sum(stop - start for start, stop in spans) for spans in (self.given_spans, self.rebuilt_spans)]
        self.normalizer = Arch2VecNormalizer(config)
        self.encoder = Arch2VecSetEncoder(config, *sizes)
        self.decoder = Arch2VecSetDecoder(config, *sizes)
        self.projection = Arch2VecPerceptron(config, [config.code_size, config.code_size, config.projection_size])

    def encode(self, tokens: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Codes and states of tensor tokens `[B, T, D]`; the statistics of `hidden` ones `[B, T]` are not seen."""
        scaled = self.normalizer(tokens)
        return self.encoder(
            columns(scaled, self.given_spans), columns(scaled, self.rebuilt_spans), tokens[..., 0] > 0.5, hidden
        )

    def rebuild(
        self, codes: Tensor, states: Tensor, labels: Tensor, hidden: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Standardised statistics `[B, T, R]` from the codes, and how far they are from those of `labels`."""
        target = self.normalizer(labels)
        rebuilt = self.decoder(columns(target, self.given_spans), codes)
        varying = columns(self.normalizer.informative(labels), self.rebuilt_spans)
        error = reconstruction_error(
            rebuilt, columns(target, self.rebuilt_spans), self.config.reconstruction_loss, varying
        )
        weight = (labels[..., 0] > 0.5).to(error.dtype)
        if hidden is not None:
            weight = weight * torch.where(hidden, 1.0, float(self.config.visible_weight))
        error, weight = error[:, 1:], weight[:, 1:]  # row 0 is a summary, no tensor
        return rebuilt, {"reconstruction": weighted_mean(error, weight), "sparsity": codes.abs().mean()}

    def contrasts(
        self, codes: Tensor, pair: Tensor | None, sources: Tensor | None, families: Tensor | None
    ) -> dict[str, Tensor]:
        """How well two samples of a model find each other, and models of one source dataset."""
        temperature, found = float(self.config.contrast_temperature), {}
        first = self.projection(codes[:, 0])
        if pair is not None and len(pair) > 1:
            found["contrast"] = nt_xent(first, self.projection(self.encode(pair)[0][:, 0]), temperature)
        if sources is not None and families is not None:
            found["source"] = source_contrast(first, sources, families, temperature)
        return found


def complement(spans: list[tuple[int, ...]], start: int, stop: int) -> list[tuple[int, ...]]:
    """What sorted `[start, stop]` spans leave of a range."""
    edges = [start, *(edge for span in spans for edge in span), stop]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]


def columns(tokens: Tensor, spans: list[tuple[int, ...]]) -> Tensor:
    """The columns of some spans, side by side."""
    return torch.cat([tokens[..., start:stop] for start, stop in spans], dim=-1)
