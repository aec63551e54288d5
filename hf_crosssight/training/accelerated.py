"""What drives the devices of a training: accelerate, an extra, so that ranking needs none of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hf_crosssight.errors import UserError

if TYPE_CHECKING:
    from accelerate import Accelerator


def accelerator(mixed_precision: str | None = None) -> Accelerator:
    """One process, or those that `accelerate launch` (GPUs) or `torchrun` (processors as well) started.

    Args:
        mixed_precision (`str`, *optional*): `no`, `bf16` or `fp16`; by default what accelerate is configured to.

    Raises:
        UserError: accelerate is not installed, or cannot do what is asked.
    """
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs
    except ImportError as error:
        raise UserError("training needs accelerate", 'pip install "hf_crosssight[train]"') from error
    import torch

    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    on_processors = several and not torch.cuda.is_available()  # else accelerate takes each process for the only one
    try:
        # A view that no model of a batch has leaves its encoder without a gradient.
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        return Accelerator(cpu=on_processors, mixed_precision=mixed_precision, kwargs_handlers=[unused])
    except ValueError as error:
        raise UserError(f"accelerate cannot do this: {error}", "Leave --precision out.") from error
