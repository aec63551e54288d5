"""The arch2vec view of a model: the codes that a weight encoder makes of its weights view.

An index keeps the codes with the id of the encoder that made them: codes of two encoders have nothing in common.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hf_crosssight.errors import UserError
from hf_crosssight.tokens.weights import WEIGHTS_SPEC

if TYPE_CHECKING:
    from hf_crosssight.models import Arch2VecModel

ARCH2VEC_SPEC = "arch2vec/1"
ARCH2VEC_SHAPE = (5, 129)

_BATCH = 64
_LIMIT = 50.0


def codes_of(views: np.ndarray, encoder: Arch2VecModel) -> np.ndarray:
    """The arch2vec views of M models.

    Args:
        views (`np.ndarray` `[M, n, Dv]`): what the encoder reads: weights views, or chunks for the thesis' preset.
        encoder (`Arch2VecModel`): whose codes are 128 wide and at most 5.

    Returns:
        Float32 `[M, 5, 129]`: row 0 the model's code, then one row a seed, column 0 valid. A model whose weights view
        is empty has no valid row; neither have rows that the encoder does not give.

    Raises:
        UserError: the encoder reads or gives something of another shape.
    """
    import torch

    config = encoder.config
    if views.ndim != 3 or views.shape[-1] != config.input_columns:
        what = f"the encoder reads rows of {config.input_columns} columns, these are {views.shape[-1]} wide"
        raise UserError(what, "Use an encoder that was trained with this release's weights view.")
    if config.code_size != ARCH2VEC_SHAPE[1] - 1 or config.num_codes > ARCH2VEC_SHAPE[0]:
        what = f"the encoder gives {config.num_codes} codes of {config.code_size}, the view holds 5 of 128"
        raise UserError(what, "Train it with code_size 128 and at most 4 seeds.")
    found = np.zeros((len(views), *ARCH2VEC_SHAPE), np.float32)
    encoder.eval()
    with torch.inference_mode():
        for start in range(0, len(views), _BATCH):
            part = np.asarray(views[start : start + _BATCH], np.float32)
            codes = encoder(torch.from_numpy(part).to(encoder.device)).codes.float().cpu().numpy()
            present = (part[..., 0] > 0.5).any(1)
            rows = np.arange(start, start + len(part))[present]
            found[rows, : config.num_codes, 0] = 1.0
            found[rows, : config.num_codes, 1:] = codes[present].clip(-_LIMIT, _LIMIT)
    return found


def encoder_id(encoder: Arch2VecModel, name: str | None = None) -> str:
    """What an index calls the encoder: `NAME@` and the first 12 digits of the sha256 of its weights.

    Args:
        encoder (`Arch2VecModel`).
        name (`str`, *optional*): folder name or Hub id; by default where it was loaded from.
    """
    digest = hashlib.sha256()
    for key, value in sorted(encoder.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    loaded_from = str(encoder.config.name_or_path or "in-memory")
    called = name or (Path(loaded_from).name if Path(loaded_from).is_dir() else loaded_from)
    return f"{called}@{digest.hexdigest()[:12]}"


def load_encoder(folder: str | Path) -> Arch2VecModel:
    """The weight encoder of a folder, in evaluation mode; nothing of it is unpickled or run.

    Raises:
        UserError: there is no encoder, its files are damaged, or it reads views of another version.
    """
    import json

    from safetensors import SafetensorError

    from hf_crosssight.models import Arch2VecModel

    hint = "Name a folder that `hf-crosssight train encoder` wrote."
    try:
        model_type = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"'{folder}' holds no weight encoder: its config.json cannot be read", hint) from error
    if model_type != Arch2VecModel.config_class.model_type:
        raise UserError(f"'{folder}' is a model of type '{model_type}', not a weight encoder ('arch2vec')", hint)
    try:
        model, report = Arch2VecModel.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (SafetensorError, ValueError, RuntimeError, OSError, KeyError, TypeError) as error:
        raise UserError(
            f"the weight encoder '{folder}' cannot be loaded: {error}", "Train or fetch it again."
        ) from error
    if report["missing_keys"] or report["mismatched_keys"]:  # transformers would fill these with random numbers
        raise UserError(f"the weights of '{folder}' are not those of its config.json", "Train or fetch it again.")
    read = model.config.specs.get("weights", WEIGHTS_SPEC)
    if read != WEIGHTS_SPEC:
        raise UserError(
            f"the weight encoder '{folder}' reads {read}, this release makes {WEIGHTS_SPEC}", "Train it again."
        )
    return model.eval()
