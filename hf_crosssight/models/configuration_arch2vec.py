"""Configuration of the weight encoder: every choice that tells one encoder from another is a plain, checked field."""

from dataclasses import field
from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .checked_fields import raise_value_errors, require

LOSSES = ("reconstruction", "contrast", "source", "sparsity")
_AT_LEAST_ONE = (
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "code_size",
    "num_seeds",
    "projection_size",
)
_SHARES = ("hidden_dropout", "attention_dropout", "mask_share", "token_dropout", "identity_dropout", "summary_dropout",
           "family_batches", "visible_weight")  # fmt: skip


@strict
class Arch2VecConfig(PreTrainedConfig):
    r"""
    Configuration of an [`Arch2VecModel`].

    What it reads:

    input_kind (`"tensor_tokens"` or `"chunks"`): rows are tensors of a network under their statistics (row 0 sums the
        network up), or pieces of normalised weights.
    input_columns (`int`): columns of a row (D), the validity in column 0 included.
    kind_columns (`list[int]`): `[start, stop]` of a tensor token's one-hot kind.
    given_columns (`list[list[int]]`): `[start, stop]` ranges that say which tensor a token is (kind, size, depth): the
        decoder is given them, and reconstructs the others.
    normalization (`"kind"`, `"all"` or `"none"`): tensor tokens are standardised by the mean and standard deviation of
        their kind's tokens, of all, or not at all.
    normalization_prior (`float`): tokens of a kind that count as much as all tokens do.
    normalization_clip (`float`): largest standardised value; what an unknown family brings must not explode.

    Network:

    hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, hidden_dropout, attention_dropout: the
        usual, of the set transformer and of its decoder.
    num_seeds (`int`): seeds of the pooling by attention; a model has one pooled code and one for each seed.
    code_size (`int`): width of a code (C).
    widths (`list[int]`): hidden widths of the chunks' encoder, from the input on; the decoder mirrors them.
    projection_size (`int`): width of the space in which models are contrasted.
    initializer_range (`float`, *optional*): std of the initial weights; `None` for 1/sqrt(fan in).

    Training:

    loss (`dict[str, float]`): weight of each of `reconstruction`, `contrast` (two samples of a model), `source`
        (models of one source dataset), `sparsity` (mean absolute code).
    reconstruction_loss (`"mse"` or `"smooth_l1"`).
    contrast_temperature (`float`): of both contrasts.
    mask_share (`float`): share of the tensor tokens that the encoder does not see.
    visible_weight (`float`): weight of a token that it sees in the reconstruction, beside 1 for one that it does not.
    noise (`float`): standard deviation of the factors that statistics are multiplied by, about 1.
    token_dropout (`float`): share of tensor tokens that are left out altogether.
    identity_dropout (`float`): share of models whose tokens' size and depth are hidden.
    summary_dropout (`float`): share of models whose row 0 is hidden.
    family_batches (`float`): share of batches drawn within one architecture family, whose members cannot be told apart
        by their architecture.

    Where it came from:

    specs (`dict[str, str]`): version of the specification of what it reads.
    trained_on (`dict[str, list[str]]`): `models` of the training zoo.
    """

    model_type = "arch2vec"

    input_kind: Literal["tensor_tokens", "chunks"] = "tensor_tokens"
    input_columns: int = 128
    kind_columns: list[int] = field(default_factory=lambda: [1, 18])
    given_columns: list[list[int]] = field(default_factory=lambda: [[1, 31]])
    normalization: Literal["kind", "all", "none"] = "kind"
    normalization_prior: float | int = 32.0
    normalization_clip: float | int = 4.0

    hidden_size: int = 128
    num_hidden_layers: int = 2
    num_attention_heads: int = 4
    intermediate_size: int = 256
    hidden_dropout: float | int = 0.0
    attention_dropout: float | int = 0.0
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5
    num_seeds: int = 4
    code_size: int = 128
    widths: list[int] = field(default_factory=list)
    projection_size: int = 64
    initializer_range: float | None = None

    loss: dict[str, float | int] = field(default_factory=lambda: {"reconstruction": 0.95, "contrast": 0.05})
    reconstruction_loss: Literal["mse", "smooth_l1"] = "mse"
    contrast_temperature: float | int = 0.1
    mask_share: float | int = 0.3
    visible_weight: float | int = 0.25
    noise: float | int = 0.1
    token_dropout: float | int = 0.2
    identity_dropout: float | int = 0.2
    summary_dropout: float | int = 0.5
    family_batches: float | int = 0.5

    specs: dict[str, str] = field(default_factory=dict)
    trained_on: dict[str, list[str]] = field(default_factory=lambda: {"models": []})

    @classmethod
    def from_preset(cls, preset: str = "default", **overrides: Any) -> "Arch2VecConfig":
        """The configuration of a preset, with some fields overridden.

        Args:
            preset (`str`, defaults to `"default"`): `"default"` (tensor tokens, permutation-aware) or `"thesis"` (the
                autoencoder of chunks of weights, Algorithm 1 of the Cross-Sight thesis).
        """
        if preset not in PRESETS:
            raise ValueError(f"no preset {preset!r}; there are {', '.join(sorted(PRESETS))}")
        return cls(**{**PRESETS[preset], **overrides})

    @property
    def num_codes(self) -> int:
        """Rows of a model's codes: the pooled one and, of tensor tokens, one for each seed."""
        return 1 + self.num_seeds if self.input_kind == "tensor_tokens" else 1

    def validate_sizes(self) -> None:
        """Sizes are positive, shares lie in [0, 1), heads divide the width."""
        for name in _AT_LEAST_ONE:
            require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in _SHARES:
            require(0.0 <= getattr(self, name) < 1.0, f"{name} must lie in [0, 1)")
        require(self.num_hidden_layers >= 0, "num_hidden_layers must not be negative")
        require(all(width >= 1 for width in self.widths), "widths must be at least 1")
        require(
            self.hidden_size % self.num_attention_heads == 0,
            f"hidden_size {self.hidden_size} is no multiple of num_attention_heads {self.num_attention_heads}",
        )

    def validate_inputs(self) -> None:
        """Column ranges lie within the row; the kind is among what is given."""
        require(self.input_columns >= 2, "input_columns must be at least 2: validity and a value")
        require(self.normalization_clip > 0, "normalization_clip must be positive")
        require(self.normalization_prior >= 0, "normalization_prior must not be negative")
        if self.input_kind == "chunks":
            return
        for name, span in [("kind_columns", self.kind_columns), *(("given_columns", s) for s in self.given_columns)]:
            require(
                len(span) == 2 and 1 <= span[0] < span[1] <= self.input_columns,
                f"{name} {span} is no [start, stop] within columns 1 to {self.input_columns}",
            )
        given = {column for start, stop in self.given_columns for column in range(start, stop)}
        require(given >= set(range(*self.kind_columns)), "given_columns must contain kind_columns")
        require(len(given) < self.input_columns - 1, "given_columns leave nothing to reconstruct")

    def validate_training(self) -> None:
        """Losses are known and count, and suit what is read."""
        unknown = sorted(set(self.loss) - set(LOSSES))
        require(not unknown, f"loss names {', '.join(unknown)}; there are {', '.join(LOSSES)}")
        require(
            all(weight >= 0 for weight in self.loss.values()) and any(self.loss.values()),
            "loss needs weights that are not negative and not all zero",
        )
        require(self.contrast_temperature > 0, "contrast_temperature must be positive")
        require(self.noise >= 0, "noise must not be negative")


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "thesis": {
        "input_kind": "chunks",
        "input_columns": 1025,
        "kind_columns": [],
        "given_columns": [],
        "normalization": "none",
        "widths": [512, 256],
        "loss": {"reconstruction": 1.0, "sparsity": 1e-3},
        "reconstruction_loss": "smooth_l1",
        "mask_share": 0.0,
        "noise": 0.0,
        "token_dropout": 0.0,
        "identity_dropout": 0.0,
        "summary_dropout": 0.0,
        "family_batches": 0.0,
    },
}
"""What each preset changes. Of the autoencoder the thesis tells the losses and that weights are normalised; the length
of a chunk (1,024), layers and widths, the activation and the weight of the penalty are our choice."""

raise_value_errors(Arch2VecConfig)

__all__ = ["Arch2VecConfig"]
