"""Configuration of the ranker: every choice that tells one ranker from another is a plain, checked field."""

import math
from dataclasses import field
from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .checked_fields import raise_value_errors, require

LOSSES = ("listmle", "gaussian_mse", "pairwise")
DATASET_PARTS = ("kind", "prototype", "stats", "global", "text")
"""Named column ranges of a dataset token; `kind` is one-hot over (prototype, global, text)."""


AT_LEAST_ONE = (
    "dataset_token_dim",
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "decoder_layers",
    "set_size",
    "head_size",
    "ensemble_size",
    "reference_length",
)
NOT_NEGATIVE = (
    "evidence_size", "hardware_token_dim", "encoder_layers", "num_references", "gate_scale",
    "forest_trees", "forest_nodes", "forest_depth", "past_models", "past_datasets",
)  # fmt: skip
SHARES = ("hidden_dropout", "attention_dropout", "dataset_token_dropout", "view_dropout", "set_dropout")


@strict
class CrossSightConfig(PreTrainedConfig):
    r"""
    Configuration of a [`CrossSightModel`].

    What it reads:

    dataset_token_dim (`int`): columns of a dataset token (Dd).
    dataset_layout (`dict[str, list[int]]`): `[start, stop]` columns of the parts kind, prototype, stats, global, text.
    view_shapes (`dict[str, list[int]]`): view name → `[rows, columns]`; row 0 is the view's summary, the others an
        unordered set, column 0 tells valid rows from padding.
    evidence_size (`int`): columns of the optional measured evidence (0: the ranker takes none).
    hardware_token_dim (`int`): columns of the hardware token of Fusion (0: the ranker reads none).

    Network:

    hidden_size, num_attention_heads, intermediate_size, hidden_dropout, attention_dropout: the usual.
    encoder_layers (`int`): self-attention layers over the dataset tokens.
    decoder_layers (`int`): cross-attention layers from models to dataset tokens.
    model_self_attention (`bool`): attention among the models of a list inside each decoder layer; a model's score
        then depends on the others.
    joint_attention (`bool`): encoder only: the decoder layers are self-attention over models and dataset tokens
        together instead of attention from the one to the other; a model's score then depends on the others.
    set_size (`int`): width of the encoder of a view's set rows.
    head_size (`int`): hidden width of each ensemble member's head.
    ensemble_size (`int`): heads on the shared trunk.
    static_part (`bool`): add b(m), what a model is worth on any dataset.
    dataset_gate (`bool`): multiply the dataset's part r(m, d) by the gate a(d).
    gate_scale (`float`): constant factor of the gate, the shrinkage chosen on validation datasets.
    score_activation (`"none"` or `"sigmoid"`): applied to the finished score.
    initializer_range (`float`, *optional*): std of the initial weights; `None` for 1/sqrt(fan in).

    Forest (models that have a probe view; see `forest_crosssight`):

    forest_trees (`int`): trees of each of the two forests, static and pair, a multiple of `ensemble_size`; 0: none.
    forest_nodes, forest_depth (`int`): nodes of the largest tree, steps from its root to its deepest leaf.
    forest_weight (`float`): share of trees, linear map and perceptrons together in the score of a model that has the
        probe view; the rest is the network's.
    forest_linear (`float`): share of the linear map beside the trees.
    perceptron_width (`int`): units of each of the two hidden layers of the perceptrons beside both; 0: none.
    perceptron_share (`float`): their share; trees and linear map have the rest. The defaults of shares are for
        configurations saved before a field existed; what a new ranker takes stands in `ForestRecipe`.
    forest_widening (`float`): factor on the members' deviations from their mean (see `ForestRecipe.widening`).
    forest_gate (`float`): factor on what they say of model and dataset beyond what they say of the model alone.
    forest_descriptors (`int`): principal components of dataset tokens that it reads.
    forest_views (`dict[str, list[int]]`): shapes of the views that it reads: structure, probe, weights.
    probe_layout (`list[int]`): tasks and statistics of a task at the beginning of the probe view.
    anchor_length (`int`): tokens kept of each probe task.
    past_models, past_datasets (`int`): known models and datasets whose results are kept; 0: none (`past_crosssight`).
    past_names (`list[str]`): names of these datasets.
    past_length (`int`): tokens kept of each of these datasets.
    past_share (`float`): share of a known model's past results in its score.
    past_width (`float`): distance of datasets at which a result counts 1 / e of what it would count nearby.
    past_radius (`float`): root mean square distance, in deviations of the known models' features, within which a
        candidate is one of them.
    shortlist_gap (`float`, *optional*): how far below the best score the truly best model may be, at
        `shortlist_coverage`, as `shortlist_parents` held-out parents of datasets had it; `None`: not calibrated.

    Training:

    loss (`dict[str, float]`): weight of each of `listmle`, `gaussian_mse`, `pairwise`.
    loss_center (`bool`): `gaussian_mse` compares scores less their mean over the list, as the lists of different zoos
        share no zero.
    temperature_start, temperature_end, temperature_schedule, temperature_span: temperature of the losses over
        training; `temperature_span` is the share of training after which the end is reached.
    dataset_token_dropout (`float`): share of training tasks whose gate is set to 0.
    view_dropout (`float`): share of views withheld (never all views that a model has).
    set_dropout (`float`): share of views whose set rows are withheld.

    Where it came from:

    image_encoder, text_encoder (`str`, *optional*): ids of the encoders that made the dataset tokens.
    specs (`dict[str, str]`): version of each token specification.
    trained_on (`dict[str, list[str]]`): `datasets` and `models` of the training tables.
    family_gates (`dict[str, list[str]]`): view → the architecture families of which it is read; of other models it
        counts as missing.
    num_references, reference_length (`int`): training datasets kept in the file, and tokens for each.
    reference_names, reference_texts (`list[str]`): their names and descriptions.
    """

    model_type = "crosssight"
    attribute_map = {"num_hidden_layers": "decoder_layers"}  # noqa: RUF012 - transformers declares it a ClassVar

    dataset_token_dim: int = 1731
    dataset_layout: dict[str, list[int]] = field(
        default_factory=lambda: {
            "kind": [0, 3],
            "prototype": [3, 1283],
            "stats": [1283, 1294],
            "global": [1294, 1344],
            "text": [1344, 1731],
        }
    )
    view_shapes: dict[str, list[int]] = field(default_factory=lambda: {"structure": [25, 32], "card": [1, 528]})
    evidence_size: int = 0
    hardware_token_dim: int = 0

    hidden_size: int = 128
    num_attention_heads: int = 4
    intermediate_size: int = 256
    hidden_dropout: float | int = 0.1
    attention_dropout: float | int = 0.0
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5
    encoder_layers: int = 0
    decoder_layers: int = 2
    model_self_attention: bool = False
    joint_attention: bool = False
    set_size: int = 64
    head_size: int = 16
    ensemble_size: int = 8
    static_part: bool = True
    dataset_gate: bool = True
    gate_scale: float | int = 1.0
    score_activation: Literal["none", "sigmoid"] = "none"
    initializer_range: float | None = None

    forest_trees: int = 0
    forest_nodes: int = 0
    forest_depth: int = 0
    forest_weight: float | int = 1.0
    forest_linear: float | int = 0.5
    perceptron_width: int = 0
    perceptron_share: float | int = 0.5
    forest_widening: float | int = 1.0
    forest_gate: float | int = 1.0
    forest_descriptors: int = 6
    forest_views: dict[str, list[int]] = field(default_factory=dict)
    probe_layout: list[int] = field(default_factory=lambda: [15, 5])
    anchor_length: int = 12
    past_models: int = 0
    past_datasets: int = 0
    past_names: list[str] = field(default_factory=list)
    past_length: int = 6
    past_share: float | int = 0.5
    past_width: float | int = 0.06
    past_radius: float | int = 0.1
    shortlist_gap: float | int | None = None
    shortlist_coverage: float | int = 0.9
    shortlist_parents: int = 0

    loss: dict[str, float | int] = field(default_factory=lambda: {"gaussian_mse": 1.0, "pairwise": 1.0})
    loss_center: bool = True
    temperature_start: float | int = 1.0
    temperature_end: float | int = 1.0
    temperature_schedule: Literal["constant", "linear", "cosine", "exponential"] = "constant"
    temperature_span: float | int = 1.0
    dataset_token_dropout: float | int = 0.5
    view_dropout: float | int = 0.2
    set_dropout: float | int = 0.3

    image_encoder: str | None = None
    text_encoder: str | None = None
    specs: dict[str, str] = field(default_factory=dict)
    trained_on: dict[str, list[str]] = field(default_factory=lambda: {"datasets": [], "models": []})
    family_gates: dict[str, list[str]] = field(default_factory=dict)
    num_references: int = 0
    reference_length: int = 18
    reference_names: list[str] = field(default_factory=list)
    reference_texts: list[str] = field(default_factory=list)

    @classmethod
    def from_preset(cls, preset: str = "default", **overrides: Any) -> "CrossSightConfig":
        """The configuration of a preset, with some fields overridden.

        Args:
            preset (`str`, defaults to `"default"`): `"default"` (what validates best) or `"thesis"` (the Cross-Sight
                thesis: six layers, encoder and decoder, sigmoid scores, ListMLE with a temperature schedule).
        """
        if preset not in PRESETS:
            raise ValueError(f"no preset {preset!r}; there are {', '.join(sorted(PRESETS))}")
        return cls(**{**PRESETS[preset], **overrides})

    @property
    def read_views(self) -> dict[str, list[int]]:
        """Shapes of all views that the ranker reads, by the network or by the forest."""
        return {**self.view_shapes, **self.forest_views}

    def temperature_at(self, progress: float) -> float:
        """Temperature of the losses when a share `progress` in [0, 1] of the training is done."""
        done = min(max(progress / self.temperature_span, 0.0), 1.0)
        start, end = float(self.temperature_start), float(self.temperature_end)
        if self.temperature_schedule == "constant":
            return start
        if self.temperature_schedule == "exponential":
            return start * (end / start) ** done
        if self.temperature_schedule == "cosine":
            done = (1.0 - math.cos(math.pi * done)) / 2.0
        return start + (end - start) * done

    def validate_sizes(self) -> None:
        """Sizes are positive, shares lie in [0, 1), heads divide the width."""
        for name in AT_LEAST_ONE:
            require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in NOT_NEGATIVE:
            require(getattr(self, name) >= 0, f"{name} must not be negative")
        for name in SHARES:
            require(0.0 <= getattr(self, name) < 1.0, f"{name} must lie in [0, 1)")
        require(
            self.hidden_size % self.num_attention_heads == 0,
            f"hidden_size {self.hidden_size} is no multiple of num_attention_heads {self.num_attention_heads}",
        )

    def validate_inputs(self) -> None:
        """The layout of dataset tokens and the shapes of views can hold."""
        require(
            set(self.dataset_layout) == set(DATASET_PARTS),
            f"dataset_layout must name {', '.join(DATASET_PARTS)}, got {', '.join(self.dataset_layout)}",
        )
        for name, span in self.dataset_layout.items():
            require(
                len(span) == 2 and 0 <= span[0] <= span[1] <= self.dataset_token_dim,
                f"dataset_layout['{name}'] = {span} is no [start, stop] within {self.dataset_token_dim} columns",
            )
        kind = self.dataset_layout["kind"]
        require(kind[1] - kind[0] == 3, "dataset_layout['kind'] must span 3 columns: prototype, global, text")
        require(bool(self.view_shapes), "view_shapes names no view")
        for name, shape in [*self.view_shapes.items(), *self.forest_views.items()]:
            require(name.isidentifier(), f"view_shapes names a view {name!r}; a plain word is needed")
            require(
                len(shape) == 2 and shape[0] >= 1 and shape[1] >= 2,
                f"view_shapes['{name}'] = {shape} is no [rows >= 1, columns >= 2]",
            )

    def validate_forest(self) -> None:
        """A forest has nodes, reads views that are there, and is shared by the members."""
        if self.forest_trees == 0:
            require(self.past_models == 0, "past_models needs a forest, which reads what models are known by")
            require(self.perceptron_width == 0, "perceptron_width needs a forest, whose features perceptrons read")
            return
        require(
            self.forest_trees % self.ensemble_size == 0,
            f"forest_trees {self.forest_trees} is no multiple of ensemble_size {self.ensemble_size}",
        )
        require(self.forest_nodes >= 1, "forest_nodes must be at least 1 where there are trees")
        require(self.perceptron_width >= 0, "perceptron_width must not be negative")
        require(self.forest_widening >= 0, "forest_widening must not be negative")
        require(not self.past_models or self.past_datasets > 0, "past_models needs past_datasets")
        require(self.past_length >= 1, "past_length must be at least 1")
        require(
            not self.past_names or len(self.past_names) == self.past_datasets,
            f"past_names has {len(self.past_names)} names for {self.past_datasets} datasets",
        )
        require(self.past_width > 0 and self.past_radius >= 0, "past_width must be positive, past_radius not negative")
        for name in ("forest_weight", "forest_linear", "perceptron_share", "past_share"):
            require(0.0 <= getattr(self, name) <= 1.0, f"{name} must lie in [0, 1]")
        views = {"structure", "probe", "weights"}
        require(set(self.forest_views) == views, "forest_views must be structure, probe and weights")
        tasks, statistics = self.probe_layout
        require(
            0 < tasks * statistics < self.forest_views["probe"][1],
            f"probe_layout {self.probe_layout} does not fit a probe view of {self.forest_views['probe'][1]} columns",
        )

    def validate_training(self) -> None:
        """Losses are known and count, temperatures are positive, references have names."""
        unknown = sorted(set(self.loss) - set(LOSSES))
        require(not unknown, f"loss names {', '.join(unknown)}; there are {', '.join(LOSSES)}")
        require(
            all(weight >= 0 for weight in self.loss.values()) and any(self.loss.values()),
            "loss needs weights that are not negative and not all zero",
        )
        require(self.temperature_start > 0 and self.temperature_end > 0, "temperatures must be positive")
        require(0 < self.temperature_span <= 1, "temperature_span must lie in (0, 1]")
        for name in ("reference_names", "reference_texts"):
            given = len(getattr(self, name))
            require(
                given in (0, self.num_references),
                f"{name} has {given} entries, num_references is {self.num_references}",
            )


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "thesis": {
        "hidden_size": 256,
        "num_attention_heads": 8,
        "intermediate_size": 1024,
        "encoder_layers": 6,
        "decoder_layers": 6,
        "model_self_attention": True,
        "ensemble_size": 1,
        "static_part": False,
        "dataset_gate": False,
        "score_activation": "sigmoid",
        "loss": {"listmle": 1.0},
        "temperature_start": 1.0,
        "temperature_end": 0.1,
        "temperature_schedule": "linear",
        "dataset_token_dropout": 0.0,
        "view_dropout": 0.0,
        "set_dropout": 0.0,
    },
}
"""What each preset changes. Width, heads and the shape of the schedule are not in the thesis: they are our choice."""


raise_value_errors(CrossSightConfig)

__all__ = ["CrossSightConfig"]
