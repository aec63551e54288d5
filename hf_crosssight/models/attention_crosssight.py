"""Attention blocks of the ranker: to the dataset's tokens, or among tokens of one kind; no positions anywhere."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from .configuration_crosssight import CrossSightConfig


def additive_mask(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Turns a token mask `[B, S]` (True = real) into an additive one `[B, 1, 1, S]`, or `None` if nothing is masked.

    The lowest finite number stands for "masked", so that a row with no token at all gives a finite average, not NaN.
    """
    if mask is None or bool(mask.all()):
        return None
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)[
        :, None, None
    ]


def eager_attention_forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **kwargs: object,
) -> tuple[Tensor, Tensor]:
    """Plain attention that also returns its weights `[B, heads, Q, S]`."""
    weights = torch.matmul(query, key.transpose(2, 3)) * scaling
    if attention_mask is not None:
        weights = weights + attention_mask
    weights = nn.functional.softmax(weights, dim=-1, dtype=torch.float32).to(query.dtype)
    weights = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), weights


class CrossSightAttention(nn.Module):
    """Multi-head attention; keys and values are computed apart, so that one dataset serves many chunks of models."""

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.config = config
        self.num_heads = config.num_attention_heads
        self.head_dim = config.hidden_size // config.num_attention_heads
        self.scaling = self.head_dim**-0.5
        self.is_causal = False
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size)

    def project_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values `[B, heads, S, head_dim]` of a memory `[B, S, H]`."""
        return self._split(self.k_proj(memory)), self._split(self.v_proj(memory))

    def forward(
        self, hidden_states: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        attention_interface: Callable = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        output, weights = attention_interface(
            self,
            self._split(self.q_proj(hidden_states)),
            key,
            value,
            attention_mask,
            dropout=self.config.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
        )
        return self.o_proj(output.reshape(hidden_states.shape)), weights

    def _split(self, states: Tensor) -> Tensor:
        return states.view(*states.shape[:-1], self.num_heads, self.head_dim).transpose(1, 2)


class CrossSightMLP(nn.Module):
    """Two-layer perceptron from `size_in` over `size_hidden` to `size_out`."""

    def __init__(self, config: CrossSightConfig, size_in: int, size_hidden: int, size_out: int):
        super().__init__()
        self.fc1 = nn.Linear(size_in, size_hidden)
        self.activation = ACT2FN[config.hidden_act]
        self.fc2 = nn.Linear(size_hidden, size_out)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return self.fc2(self.activation(self.fc1(hidden_states)))


class CrossSightEncoderLayer(GradientCheckpointingLayer):
    """Self-attention over the tokens of a dataset, then a feed-forward block (pre-norm)."""

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = CrossSightAttention(config)
        self.mlp_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = CrossSightMLP(config, config.hidden_size, config.intermediate_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        normed = self.attention_norm(hidden_states)
        attended, _ = self.attention(normed, *self.attention.project_memory(normed), attention_mask)
        hidden_states = hidden_states + self.dropout(attended)
        return hidden_states + self.dropout(self.mlp(self.mlp_norm(hidden_states)))


class CrossSightDecoderLayer(GradientCheckpointingLayer):
    """Models look at the dataset: optional attention among models, cross-attention, feed-forward (pre-norm)."""

    def __init__(self, config: CrossSightConfig):
        super().__init__()
        self.self_attention: CrossSightAttention | None = None
        if getattr(config, "model_self_attention", False):  # the weight encoder's blocks have no such field
            self.self_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
            self.self_attention = CrossSightAttention(config)
        self.cross_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.cross_attention = CrossSightAttention(config)
        self.mlp_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = CrossSightMLP(config, config.hidden_size, config.intermediate_size, config.hidden_size)
        self.dropout = nn.Dropout(config.hidden_dropout)

    def project_memory(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a dataset's tokens `[B, S, H]` for `forward`."""
        return self.cross_attention.project_memory(memory)

    def forward(
        self,
        hidden_states: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None = None,
        model_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Takes models `[B, M, H]`, the dataset's keys and values, additive masks; gives models and weights."""
        if self.self_attention is not None:
            normed = self.self_norm(hidden_states)
            attended, _ = self.self_attention(normed, *self.self_attention.project_memory(normed), model_mask)
            hidden_states = hidden_states + self.dropout(attended)
        attended, weights = self.cross_attention(self.cross_norm(hidden_states), key, value, attention_mask)
        hidden_states = hidden_states + self.dropout(attended)
        return hidden_states + self.dropout(self.mlp(self.mlp_norm(hidden_states))), weights


def attend_jointly(
    layers: Iterable[nn.Module],
    models: Tensor,
    among_models: Tensor | None,
    tokens: Tensor,
    tokens_mask: Tensor | None,
) -> Tensor:
    """Models `[B, M, H]` after self-attention over models and dataset tokens `[B or 1, S, H]` in one sequence.

    Masks are additive, see `additive_mask`.
    """
    tokens, count = tokens.expand(len(models), -1, -1), models.shape[1]
    masks = [
        states.new_zeros(len(states), 1, 1, states.shape[1]) if mask is None else mask
        for states, mask in ((models, among_models), (tokens, tokens_mask))
    ]
    states, mask = torch.cat([models, tokens], dim=1), torch.cat(masks, dim=-1)
    for layer in layers:
        states = layer(states, mask)
    return states[:, :count]
