"""`hf-crosssight env`: what a bug report should say about this machine."""

from __future__ import annotations

import os
import platform
from importlib import metadata

from hf_crosssight import __version__
from hf_crosssight.cli.options import FormatOption
from hf_crosssight.cli.output import Format, print_record

EXAMPLES = "Example: hf-crosssight env --format json"

_PACKAGES = ("torch", "transformers", "huggingface_hub", "datasets", "safetensors", "accelerate", "evaluate", "gradio")


def env_command(
    format: FormatOption = Format.auto,
) -> None:
    """Print versions and settings, for bug reports; the token itself is never printed."""
    from huggingface_hub import constants

    from hf_crosssight.hub import HubClient
    from hf_crosssight.hub.places import crosssight_folder

    print_record(
        {
            "hf_crosssight": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
            **{name: _version(name) for name in _PACKAGES},
            "endpoint": constants.ENDPOINT,
            "cache": str(crosssight_folder()),
            "offline": HubClient().offline,
            "token": bool(_token()),
        },
        format,
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _token() -> str | None:
    from huggingface_hub import get_token

    return get_token()
