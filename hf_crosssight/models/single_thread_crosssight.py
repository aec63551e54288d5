"""One thread for work that is too small to share.

Scoring goes through many operations of a millisecond or less. Two threads must wait for each other at the end of each,
and beside another busy process that wait is a scheduler's slice: ten milliseconds an operation instead of one.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

Function = TypeVar("Function", bound=Callable[..., Any])


def single_threaded(function: Function) -> Function:
    """Runs a function with one intra-op thread and gives the others back."""

    @functools.wraps(function)
    def alone(*args: Any, **kwargs: Any) -> Any:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return function(*args, **kwargs)
        finally:
            torch.set_num_threads(threads)

    return alone  # type: ignore[return-value]
