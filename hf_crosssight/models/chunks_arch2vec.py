"""The `thesis` preset of the weight encoder: an autoencoder of chunks of normalised weights (Algorithm 1)."""

import itertools

from torch import Tensor, nn
from transformers.activations import ACT2FN

from .configuration_arch2vec import Arch2VecConfig
from .losses_arch2vec import reconstruction_error, weighted_mean


class Arch2VecPerceptron(nn.Module):
    """A perceptron with an activation between its layers, of the given widths."""

    def __init__(self, config: Arch2VecConfig, widths: list[int]):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*sizes) for sizes in itertools.pairwise(widths))
        self.activation = ACT2FN[config.hidden_act]

    def forward(self, values: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            values = self.activation(layer(values))
        return self.layers[-1](values)


class Arch2VecChunkBody(nn.Module):
    """Encoder and decoder of one chunk; a model's code is the mean of its chunks' codes."""

    def __init__(self, config: Arch2VecConfig):
        super().__init__()
        self.config = config
        widths = [config.input_columns - 1, *config.widths, config.code_size]
        self.encoder = Arch2VecPerceptron(config, widths)
        self.decoder = Arch2VecPerceptron(config, widths[::-1])

    def encode(self, tokens: Tensor, hidden: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The model's code `[B, 1, C]` and its chunks' `[B, T, C]`."""
        if hidden is not None:
            raise ValueError("chunks are not masked: bool_masked_pos is for tensor tokens")
        valid = (tokens[..., :1] > 0.5).to(tokens.dtype)
        each = self.encoder(tokens[..., 1:]) * valid
        return each.sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp(min=1), each

    def rebuild(
        self, codes: Tensor, states: Tensor, labels: Tensor, hidden: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The chunks `[B, T, D - 1]` from their codes, SmoothL1 and the mean absolute code."""
        rebuilt = self.decoder(states)
        error = reconstruction_error(rebuilt, labels[..., 1:], self.config.reconstruction_loss)
        weight = (labels[..., 0] > 0.5).to(error.dtype)
        penalty = weighted_mean(states.abs().mean(-1), weight)
        return rebuilt, {"reconstruction": weighted_mean(error, weight), "sparsity": penalty}

    def contrasts(
        self, codes: Tensor, pair: Tensor | None, sources: Tensor | None, families: Tensor | None
    ) -> dict[str, Tensor]:
        """None: the thesis contrasts nothing."""
        return {}
