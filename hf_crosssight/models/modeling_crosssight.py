"""`CrossSightModel`, the ranker: dataset tokens are the memory, one query per model looks at them, a score comes out.

`s(m, d) = b(m) + a(d) r(m, d) + h(m, d)`: what a model is worth anywhere, plus what the dataset changes, gated by how
far that dataset is from those of the training, plus optional measured evidence. The `thesis` preset has r alone.
Models with a probe view are scored by trees, linear maps and perceptrons, and those that these were grown on also by
their own past results.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init

from .attention_crosssight import CrossSightDecoderLayer, CrossSightEncoderLayer, additive_mask, attend_jointly
from .configuration_crosssight import CrossSightConfig
from .dataset_crosssight import (
    CrossSightDatasetEmbedding,
    CrossSightGate,
    ZeroInitLinear,
    checked_tokens,
    padded_references,
)
from .distance_crosssight import FARTHEST, PreparedDatasets, comparable_datasets, dataset_distances, require_alike
from .forest_crosssight import CrossSightForest, CrossSightLinear, CrossSightPerceptrons
from .hardware_crosssight import CrossSightHardwareEmbedding, require_hardware
from .heads_crosssight import CrossSightHeads, CrossSightOutput, DatasetMemory, joined_outputs
from .pairs_crosssight import CrossSightPairFeatures
from .past_crosssight import CrossSightPastResults
from .ranking_losses import ensemble_loss
from .single_thread_crosssight import single_threaded
from .views_crosssight import CrossSightModelQuery, CrossSightViewEncoder, as_tensor, common_length, have_views

_GROWN = (CrossSightForest, CrossSightLinear, CrossSightPerceptrons, CrossSightPairFeatures, CrossSightPastResults)


class CrossSightPreTrainedModel(PreTrainedModel):
    """Weight initialisation and the conventions of transformers."""

    config: CrossSightConfig
    config_class = CrossSightConfig
    base_model_prefix = "crosssight"
    main_input_name = "dataset_tokens"
    input_modalities = ["image", "text"]  # noqa: RUF012 - as transformers has it
    supports_gradient_checkpointing = True
    _no_split_modules = ["CrossSightEncoderLayer", "CrossSightDecoderLayer"]  # noqa: RUF012 - as transformers has it
    _supports_sdpa = True
    _supports_attention_backend = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, ZeroInitLinear):
            init.zeros_(module.weight)
        elif isinstance(module, nn.Linear):
            init.normal_(module.weight, mean=0.0, std=self.config.initializer_range or module.in_features**-0.5)
        elif isinstance(module, CrossSightHeads):
            init.normal_(module.weight, mean=0.0, std=module.size**-0.5)
            init.zeros_(module.bias)
        elif isinstance(module, CrossSightViewEncoder) and module.has_set:
            init.normal_(module.missing_set, mean=0.0, std=0.1)
        elif isinstance(module, CrossSightModelQuery):
            for embedding in module.missing.values():
                init.normal_(embedding, mean=0.0, std=0.1)
        elif isinstance(module, CrossSightDatasetEmbedding):
            init.zeros_(module.token_center)
            init.ones_(module.token_scale)
        elif isinstance(module, _GROWN):
            for name, buffer in module.named_buffers(recurse=False):
                (init.ones_ if name == "scale" else init.zeros_)(buffer)
        elif isinstance(module, CrossSightModel):
            init.zeros_(module.reference_tokens)
            init.zeros_(module.reference_mask)


class CrossSightModel(CrossSightPreTrainedModel):
    """The ranker.

    Args:
        config (`CrossSightConfig`): see `CrossSightConfig.from_preset`.
    """

    reference_tokens: Tensor
    reference_mask: Tensor

    def __init__(self, config: CrossSightConfig):
        super().__init__(config)
        self.dataset_embedding = CrossSightDatasetEmbedding(config)
        self.hardware_embedding = CrossSightHardwareEmbedding(config) if config.hardware_token_dim else None
        self.encoder_layers = nn.ModuleList(CrossSightEncoderLayer(config) for _ in range(config.encoder_layers))
        self.memory_norm = (
            nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if config.encoder_layers else None
        )
        self.model_query = CrossSightModelQuery(config)
        layer = CrossSightEncoderLayer if config.joint_attention else CrossSightDecoderLayer
        self.decoder_layers = nn.ModuleList(layer(config) for _ in range(config.decoder_layers))
        self.residual_heads = CrossSightHeads(config)
        self.static_heads = CrossSightHeads(config) if config.static_part else None
        self.gate = CrossSightGate(config) if config.dataset_gate else None
        self.evidence_head = nn.Linear(config.evidence_size, 1, bias=False) if config.evidence_size else None
        self.pair_features: CrossSightPairFeatures | None = None
        self.pair_perceptrons: CrossSightPerceptrons | None = None
        self.past_results: CrossSightPastResults | None = None
        if config.forest_trees:
            size = (config.forest_trees, config.forest_nodes, config.forest_depth, config.ensemble_size)
            self.pair_features = CrossSightPairFeatures(config)
            self.static_forest, self.pair_forest = CrossSightForest(*size), CrossSightForest(*size)
            self.static_linear = CrossSightLinear(self.pair_features.static_width, config.ensemble_size)
            self.pair_linear = CrossSightLinear(self.pair_features.width, config.ensemble_size)
            if config.perceptron_width:
                self.pair_perceptrons = CrossSightPerceptrons(
                    self.pair_features.width, config.perceptron_width, config.ensemble_size
                )
            if config.past_models:
                self.past_results = CrossSightPastResults(config, self.pair_features.key_width)
        self.dropout = nn.Dropout(config.hidden_dropout)
        shape = (config.num_references, config.reference_length)
        self.register_buffer("reference_tokens", torch.zeros(*shape, config.dataset_token_dim, dtype=torch.float16))
        self.register_buffer("reference_mask", torch.zeros(*shape, dtype=torch.bool))
        self.temperature = float(config.temperature_start)
        self._references = PreparedDatasets()
        self.post_init()

    def forward(
        self,
        dataset_tokens: Tensor,
        dataset_mask: Tensor | None = None,
        model_views: Mapping[str, Tensor] | None = None,
        view_mask: Mapping[str, Tensor] | None = None,
        evidence: Tensor | None = None,
        ranks: Tensor | None = None,
        return_dict: bool | None = None,
        *,
        model_mask: Tensor | None = None,
        member_weights: Tensor | None = None,
        exclude_references: Tensor | None = None,
        reference_distances: Tensor | None = None,
        hardware_token: Tensor | None = None,
        output_attentions: bool | None = None,
    ) -> CrossSightOutput | tuple[Any, ...]:
        r"""
        Args:
            dataset_tokens (`Tensor` `[B, S, Dd]`): tokens of B datasets; their order does not matter.
            dataset_mask (`Tensor` `[B, S]`, *optional*): True for real tokens.
            model_views (`dict[str, Tensor]`): view name → `[B, M, n, Dv]`.
            view_mask (`dict[str, Tensor]`, *optional*): view name → `[B, M]`, True where a model has the view.
            evidence (`Tensor` `[B, M, E]`, *optional*): measured on the target; NaN where unknown.
            ranks (`Tensor` `[B, M]`, *optional*): true ranks, 0 = best, ties share one; NaN or -1 = not in this task.
            model_mask (`Tensor` `[B, M]`, *optional*): False for entries that only fill up the batch (needed with
                attention among models).
            member_weights (`Tensor` `[B, ensemble_size]`, *optional*): weight of each task in each member's loss.
            exclude_references (`Tensor` `[B, R]`, *optional*): training datasets that the gate must not see.
            reference_distances (`Tensor` `[B, R]`, *optional*): `nearest_references` computed before.
            hardware_token (`Tensor` `[B, Dh]`, *optional*): where the models shall run, for a ranker that reads it.
            output_attentions (`bool`, *optional*): also return attention weights (with eager attention).

        Raises:
            ValueError: shapes or view names that do not fit the configuration.
        """
        if not model_views:
            raise ValueError("model_views is needed: view name → [batch, models, rows, columns]")
        require_alike(reference_distances, exclude_references)
        memory = self.encode_dataset(
            dataset_tokens, dataset_mask, reference_distances, exclude_references, hardware_token
        )
        output = self._decode(memory, model_views, view_mask, evidence, model_mask)
        if ranks is not None and output.member_scores is not None:
            output.loss = ensemble_loss(
                output.member_scores, ranks, self.config.loss, self.temperature,
                center=self.config.loss_center, member_weights=member_weights,
            )  # fmt: skip
        wanted = self.config.output_attentions if output_attentions is None else output_attentions
        if not wanted or not output.attentions or output.attentions[0] is None:
            output.attentions = None
        as_dict = self.config.return_dict if return_dict is None else return_dict
        return output if as_dict else output.to_tuple()

    def encode_dataset(
        self,
        dataset_tokens: Tensor,
        dataset_mask: Tensor | None = None,
        reference_distances: Tensor | None = None,
        exclude_references: Tensor | None = None,
        hardware_token: Tensor | None = None,
    ) -> DatasetMemory:
        """Reads datasets `[B, S, Dd]` once; the result serves any number of models."""
        mask, tokens = checked_tokens(dataset_tokens, dataset_mask, self.config.dataset_token_dim, self.dtype)
        gate = self._gate(tokens, mask, reference_distances, exclude_references)
        states = self.dropout(self.dataset_embedding(tokens))
        attention_mask = additive_mask(mask, states.dtype)
        if hardware_token is not None:
            states, attention_mask = require_hardware(self.hardware_embedding)(states, mask, hardware_token)
        for layer in self.encoder_layers:
            states = layer(states, attention_mask)
        if self.memory_norm is not None:
            states = self.memory_norm(states)
        described = None if self.pair_features is None else self.pair_features.of_dataset(tokens, mask)
        nearness = None if self.past_results is None else self.past_results.nearness(tokens, mask)
        if self.config.joint_attention:
            return DatasetMemory([], attention_mask, gate, described, states, nearness)
        keys_values = [layer.project_memory(states) for layer in self._decoder_layers()]
        return DatasetMemory(keys_values, attention_mask, gate, described, nearness=nearness)

    @single_threaded
    @torch.inference_mode()
    def score_zoo(
        self,
        dataset_tokens: Any,
        views: Mapping[str, Any],
        view_mask: Mapping[str, Any] | None = None,
        chunk: int = 512,
        *,
        dataset_mask: Any = None,
        evidence: Any = None,
        hardware_token: Any = None,
    ) -> CrossSightOutput:
        """Scores a whole zoo on one dataset, a chunk of models at a time (all at once with attention among models).

        Args:
            dataset_tokens (array or `Tensor` `[S, Dd]`).
            views (`dict`): view name → array or `Tensor` `[M, n, Dv]`, any float type; may be memory-mapped.
            view_mask (`dict`, *optional*): view name → bool `[M]`.
            chunk (`int`, defaults to 512): models at a time; what it takes fits the cache.
            dataset_mask (bool `[S]`, *optional*): True for real tokens.
            evidence (`[M, E]`, *optional*): measured evidence.
            hardware_token (`[Dh]`, *optional*): where the models shall run, for a ranker that reads it.

        Returns:
            `CrossSightOutput` with B = 1, in float32, on the CPU.
        """
        was_training = self.training
        if was_training:  # walking all modules takes as long as scoring fifty models
            self.eval()
        try:
            tokens = as_tensor(dataset_tokens, self.device)[None]
            mask = None if dataset_mask is None else as_tensor(dataset_mask, self.device)[None].bool()
            hardware = None if hardware_token is None else as_tensor(hardware_token, self.device)[None]
            memory = self.encode_dataset(tokens, mask, hardware_token=hardware)
            count = common_length(views)
            together = self.config.model_self_attention or self.config.joint_attention
            step = max(count, 1) if together else chunk  # they must see one another
            parts = [
                self._score_chunk(memory, views, view_mask or {}, evidence, slice(start, start + step))
                for start in range(0, count, step)
            ]
        finally:
            if was_training:
                self.train()
        return joined_outputs(parts, memory.gate, self.config.ensemble_size)

    @single_threaded
    @torch.no_grad()
    def nearest_references(self, dataset_tokens: Tensor, dataset_mask: Tensor | None = None) -> Tensor:
        """Distances `[B, R]` in [0, 2] of datasets `[B, S, Dd]` to the training datasets kept in this ranker."""
        dataset_tokens = dataset_tokens.to(self.device)
        dataset_mask = None if dataset_mask is None else dataset_mask.to(self.device)
        mask, tokens = checked_tokens(dataset_tokens, dataset_mask, self.config.dataset_token_dim, self.dtype)
        references = self._references.of(self.reference_tokens, self.reference_mask, self.config.dataset_layout)
        return dataset_distances(
            comparable_datasets(tokens, mask, self.config.dataset_layout, references.center), references
        )

    def set_references(
        self, datasets: Sequence[Any], names: Sequence[str] = (), texts: Sequence[str] = (), length: int | None = None
    ) -> None:
        """Keeps training datasets, each tokens `[S, Dd]`, reduced to `length` tokens (default: the config's)."""
        length = length or self.config.reference_length
        held = [as_tensor(item, torch.device("cpu")) for item in datasets]
        tokens, mask = padded_references(held, self.config.dataset_layout, length, self.config.dataset_token_dim)
        self.config.reference_names, self.config.reference_texts = [], []
        self.config.num_references, self.config.reference_length = len(held), length
        self.config.reference_names, self.config.reference_texts = list(names), list(texts)
        self.config.validate()
        self.reference_tokens, self.reference_mask = tokens.to(self.device), mask.to(self.device)

    def fit_token_scale(self, datasets: Sequence[Any]) -> None:
        """Centres and scales dataset tokens by those of training datasets, each `[S, Dd]`; call before training."""
        self.dataset_embedding.fit(torch.cat([as_tensor(item, self.device) for item in datasets]))

    def set_temperature(self, temperature: float) -> None:
        """Temperature of the losses from now on (`config.temperature_at(progress)` gives the schedule's)."""
        if not temperature > 0:
            raise ValueError(f"temperature must be positive, got {temperature}")
        self.temperature = float(temperature)

    def _gate(self, tokens: Tensor, mask: Tensor, distances: Tensor | None, excluded: Tensor | None) -> Tensor:
        """a(d) `[B]`: 0 without any token, and in training for a random share of the tasks."""
        gate = mask.any(-1).to(tokens.dtype)
        if self.gate is not None:
            if distances is None:
                distances = self.nearest_references(tokens, mask)
            if excluded is not None:
                distances = distances.masked_fill(excluded.bool(), FARTHEST)
            farthest = distances.new_full((len(distances), 1), FARTHEST)
            gate = gate * self.gate(tokens, mask, torch.cat([distances, farthest], dim=1).amin(1))
        if self.training and self.config.dataset_token_dropout:
            gate = gate * (torch.rand(gate.shape, device=gate.device) >= self.config.dataset_token_dropout)
        return gate

    def _decode(
        self,
        memory: DatasetMemory,
        views: Mapping[str, Tensor],
        view_mask: Mapping[str, Tensor] | None,
        evidence: Tensor | None,
        model_mask: Tensor | None,
    ) -> CrossSightOutput:
        read, masks = (
            {name: one for name, one in given.items() if self._is_for_network(name)}
            for given in (views, view_mask or {})
        )
        query = self.model_query(read, masks)
        states, attentions = self.dropout(query), []
        among_models = additive_mask(None if model_mask is None else model_mask.bool(), states.dtype)
        if memory.states is not None:
            states = attend_jointly(self.decoder_layers, states, among_models, memory.states, memory.attention_mask)
        else:
            for layer, (key, value) in zip(self._decoder_layers(), memory.keys_values, strict=True):
                states, weights = layer(states, key, value, memory.attention_mask, among_models)
                attentions.append(weights)
        residual = self.residual_heads(states)
        static = torch.zeros_like(residual) if self.static_heads is None else self.static_heads(query)
        members = static + memory.gate[:, None, None] * residual + self._evidence(evidence, query.dtype)
        static, members = self._with_forest(static, members, memory, views, view_mask or {}, evidence)
        if self.config.score_activation == "sigmoid":
            members = members.sigmoid()
        return CrossSightOutput(
            scores=members.mean(-1),
            scores_std=members.detach().std(-1, correction=0),
            static=static.mean(-1),
            residual=residual.mean(-1),
            gate=memory.gate,
            attentions=tuple(attentions),
            member_scores=members,
        )

    def _is_for_network(self, name: str) -> bool:
        """Whether the network is to read a view; it refuses those that nobody reads."""
        return name in self.config.view_shapes or name not in self.config.forest_views

    def _with_forest(
        self,
        static: Tensor,
        members: Tensor,
        memory: DatasetMemory,
        views: Mapping[str, Tensor],
        view_mask: Mapping[str, Tensor],
        evidence: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Static part and scores `[B, M, E]`, with what forest and perceptrons say of models that have their views."""
        names = [name for name in self.config.forest_views if name != "weights"]  # which a model may do without
        if self.pair_features is None or memory.described is None or not set(names) <= set(views):
            return static, members
        there = have_views(names, views, view_mask)
        if not bool(there.any()):
            return static, members
        match = None if evidence is None else evidence[..., 0]
        rows = self.pair_features(memory.described, views, match)[there]
        first, own = self.pair_features.weights_width, self.pair_features.static_width
        trees = 1.0 - float(self.config.forest_linear)
        of_model = trees * self.static_forest(rows[:, first:own]) + (1.0 - trees) * self.static_linear(rows[:, :own])
        of_pair = trees * self.pair_forest(rows[:, first:]) + (1.0 - trees) * self.pair_linear(rows)
        learnt = float(self.config.perceptron_share)
        if self.pair_perceptrons is not None and learnt:
            linear, anywhere = self.pair_linear, self.pair_features.without_dataset(rows, self.pair_linear.center)
            of_pair = torch.lerp(of_pair, self.pair_perceptrons(linear.standardised(rows)), learnt)
            of_model = torch.lerp(of_model, self.pair_perceptrons(linear.standardised(anywhere)), learnt)
        of_pair = of_model + float(self.config.forest_gate) * (of_pair - of_model)
        if self.past_results is not None and memory.nearness is not None:
            nearness = memory.nearness[there.nonzero()[:, 0]]
            of_pair = self.past_results.joined(of_pair, rows[:, first:own], nearness, float(self.config.past_share))
        of_pair = torch.lerp(of_pair.mean(-1, keepdim=True), of_pair, float(self.config.forest_widening))
        share = float(self.config.forest_weight)
        static, members = static.clone(), members.clone()
        static[there] = (1.0 - share) * static[there] + share * of_model.to(static.dtype)
        members[there] = (1.0 - share) * members[there] + share * of_pair.to(members.dtype)
        return static, members

    def _decoder_layers(self) -> list[CrossSightDecoderLayer]:
        return cast(list[CrossSightDecoderLayer], list(self.decoder_layers))

    def _evidence(self, evidence: Tensor | None, dtype: torch.dtype) -> Tensor | float:
        """h(m, d) `[B, M, 1]`; an unknown measurement adds nothing."""
        if evidence is None:
            return 0.0
        if self.evidence_head is None or evidence.shape[-1] != self.config.evidence_size:
            raise ValueError(
                f"evidence has {evidence.shape[-1]} columns, this ranker takes {self.config.evidence_size}"
            )
        return self.evidence_head(torch.nan_to_num(evidence.to(dtype)))

    def _score_chunk(
        self,
        memory: DatasetMemory,
        views: Mapping[str, Any],
        view_mask: Mapping[str, Any],
        evidence: Any,
        rows: slice,
    ) -> CrossSightOutput:
        chunk = {name: as_tensor(view[rows], self.device)[None] for name, view in views.items()}
        masks = {
            name: torch.as_tensor(mask[rows], device=self.device).bool()[None] for name, mask in view_mask.items()
        }
        measured = None if evidence is None else as_tensor(evidence[rows], self.device)[None]
        return self._decode(memory, chunk, masks, measured, None)


__all__ = ["CrossSightModel", "CrossSightOutput", "CrossSightPreTrainedModel"]
