"""What drives the devices of a training: accelerate, an extra, so that ranking needs none of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def written_once(devices: Accelerator, write: Callable[[], dict[str, Any]], record: Path) -> dict[str, Any]:
    """What `write` gives in the main process; the others wait until it is done and read it from the file `record`."""
    found = write() if devices.is_main_process else None
    devices.wait_for_everyone()
    return found if found is not None else json.loads(record.read_text(encoding="utf-8"))
