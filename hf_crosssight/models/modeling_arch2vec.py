"""`Arch2VecModel`, the weight encoder: a network's tensors go in, a few codes that describe the network come out.

Preset `default`: tensor tokens (kind, size, depth, statistics, sketches that do not depend on the order of units) →
per-kind normalisation → set transformer → pooling by attention with seeds (Lee et al., "Set Transformer", 2019) →
codes. It learns by rebuilding the statistics of tensors, hidden ones above all, from the codes alone, and by telling
two disjoint samples of one model from all others (Schürholt et al., "Towards Scalable and Versatile Weight Space
Learning", 2024). There is no position: depth and kind stand in the tokens, so the order of tensors does not matter.

Preset `thesis`: Algorithm 1 of the Cross-Sight thesis. The weights of a layer are flattened, normalised by their mean
and standard deviation and cut into chunks; a perceptron encodes a chunk, its mirror image decodes it; the loss is
SmoothL1 plus an L1 penalty on the code. A model's vector is the mean of its chunks' codes. Where the thesis is silent
(chunks of 1,024, layers and widths, activation, weight of the penalty, no position, the mean) the choice is ours.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .chunks_arch2vec import Arch2VecChunkBody
from .configuration_arch2vec import Arch2VecConfig
from .normalization_arch2vec import Arch2VecNormalizer
from .tensors_arch2vec import Arch2VecSetEncoder, Arch2VecTensorBody


@dataclass
class Arch2VecOutput(ModelOutput):
    """What the encoder makes of B models.

    Attributes:
        loss (`Tensor`, *optional*): weighted sum of `losses`, when `labels` are given.
        codes (`Tensor` `[B, 1 + seeds, C]`): row 0 describes the whole model; chunks have that row alone.
        token_codes (`Tensor` `[B, T, H]`): one for each row that was read (chunks: `[B, T, C]`); 0 in padding.
        reconstruction (`Tensor` `[B, T, R]`): the reconstructed columns, standardised, when `labels` are given.
        losses (`dict[str, Tensor]`): each loss by name, unweighted, when `labels` are given.
    """

    loss: Tensor | None = None
    codes: Tensor | None = None
    token_codes: Tensor | None = None
    reconstruction: Tensor | None = None
    losses: dict[str, Tensor] | None = None


class Arch2VecPreTrainedModel(PreTrainedModel):
    """Weight initialisation and the conventions of transformers."""

    config: Arch2VecConfig
    config_class = Arch2VecConfig
    base_model_prefix = "arch2vec"
    main_input_name = "tokens"
    supports_gradient_checkpointing = True
    _no_split_modules = ["CrossSightEncoderLayer", "CrossSightDecoderLayer"]  # noqa: RUF012 - as transformers has it
    _supports_sdpa = True
    _supports_attention_backend = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, nn.Linear):
            init.normal_(module.weight, mean=0.0, std=self.config.initializer_range or module.in_features**-0.5)
        elif isinstance(module, Arch2VecSetEncoder):
            init.normal_(module.seeds, mean=0.0, std=0.5)
            init.normal_(module.hidden_token, mean=0.0, std=0.5)
        elif isinstance(module, Arch2VecNormalizer):
            init.zeros_(module.center)
            init.ones_(module.spread)
            init.ones_(module.varies)


class Arch2VecModel(Arch2VecPreTrainedModel):
    """The weight encoder.

    Args:
        config (`Arch2VecConfig`): see `Arch2VecConfig.from_preset`.
    """

    def __init__(self, config: Arch2VecConfig):
        super().__init__(config)
        self.body: Arch2VecTensorBody | Arch2VecChunkBody = (
            Arch2VecTensorBody(config) if config.input_kind == "tensor_tokens" else Arch2VecChunkBody(config)
        )
        self.post_init()

    def forward(
        self,
        tokens: Tensor,
        bool_masked_pos: Tensor | None = None,
        labels: Tensor | None = None,
        pair_tokens: Tensor | None = None,
        sources: Tensor | None = None,
        families: Tensor | None = None,
        return_dict: bool | None = None,
    ) -> Arch2VecOutput | tuple[Any, ...]:
        r"""
        Args:
            tokens (`Tensor` `[B, T, D]`): tensor tokens with the model's summary in row 0, or chunks; column 0 is 1
                in a valid row and 0 in padding.
            bool_masked_pos (`Tensor` `[B, T]`, *optional*): tensor tokens whose statistics the encoder must not see.
            labels (`Tensor` `[B, T, D]`, *optional*): what to rebuild, the same rows without noise; gives the loss.
            pair_tokens (`Tensor` `[B, T', D]`, *optional*): another sample of the same models, for the contrast.
            sources, families (`Tensor` `[B]`, *optional*): numbers of source dataset (-1: unknown) and architecture
                family, for the contrast between models of one source.

        Raises:
            ValueError: rows of another width than the configuration's, or masked chunks.
        """
        codes, states = self.body.encode(self._checked(tokens), bool_masked_pos)
        loss, rebuilt, losses = None, None, None
        if labels is not None:
            rebuilt, losses = self.body.rebuild(codes, states, self._checked(labels), bool_masked_pos)
            pair = None if pair_tokens is None else self._checked(pair_tokens)
            losses |= self.body.contrasts(codes, pair, sources, families)
            loss = torch.stack([self.config.loss.get(name, 0.0) * value for name, value in losses.items()]).sum()
        output = Arch2VecOutput(loss, codes, states, rebuilt, losses)
        as_dict = self.config.return_dict if return_dict is None else return_dict
        return output if as_dict else output.to_tuple()

    def fit_scale(self, tokens: Tensor) -> None:
        """Sets the normalisation from the tensor tokens `[N, T, D]` of the training models; chunks need none."""
        if isinstance(self.body, Arch2VecTensorBody):
            self.body.normalizer.fit(self._checked(tokens))

    def _checked(self, tokens: Tensor) -> Tensor:
        columns = self.config.input_columns
        if tokens.dim() != 3 or tokens.shape[-1] != columns:
            raise ValueError(f"tokens are {tuple(tokens.shape)}, expected [batch, rows, {columns}]")
        return tokens.to(next(self.parameters()).dtype)


__all__ = ["Arch2VecModel", "Arch2VecOutput", "Arch2VecPreTrainedModel"]
