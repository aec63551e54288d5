"""The Space as a repository: the files of `spaces_demo/`, this version of the package as a wheel, torch's CPU build.

The Hub installs `requirements.txt` before the other files of a Space are there, so a published one names its wheel by
its address, with its hash: where the wheel changes, the line does, and the Hub does not take an earlier one from its
cache. A private Space cannot be served so, since its build has no token.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from hf_crosssight.errors import UserError
from hf_crosssight.hub.card_templates import CARD
from hf_crosssight.hub.failures import endpoint
from hf_crosssight.publishing.repository import Repository, files_of

CHECKOUT = Path(__file__).parents[2]
REQUIREMENTS = "requirements.txt"

_ID_IN_CARD = "crosssight/ranking"
_OURS = re.compile(r"^hf[_-]crosssight(\[[\w,-]+\])?.*$", flags=re.MULTILINE)
_REPLACED = ("*.whl", "*.py")


def space_repository(to: str | None, *, wheel: Path | None = None) -> Repository:
    """The files of the Space.

    Args:
        to (`str`, *optional*): id that it is published under; without one it installs the wheel that lies beside it.
        wheel (`Path`, *optional*): of this package; by default made from the checkout.

    Raises:
        UserError: this is no checkout, or no wheel can be made.
    """
    demo = CHECKOUT / "spaces_demo"
    if not (demo / REQUIREMENTS).is_file():
        raise UserError("the files of the Space are not installed", "Run it in a checkout of hf_crosssight.")
    name, content = _given(wheel) if wheel is not None else _built()
    files = {path: place for path, place in files_of(demo).items() if "__pycache__" not in path}
    source = f"./{name}" if to is None else f"{endpoint()}/spaces/{to}/resolve/main/{name}"
    if to is not None:
        source += f"#sha256={hashlib.sha256(content).hexdigest()}"
        files[CARD] = (demo / CARD).read_text(encoding="utf-8").replace(_ID_IN_CARD, to).encode()
    files[REQUIREMENTS] = requirements((demo / REQUIREMENTS).read_text(encoding="utf-8"), source).encode()
    return Repository("space", files | {name: content}, _REPLACED, sdk="gradio")


def requirements(text: str, wheel: str) -> str:
    """The same requirements with the package taken from `wheel`, a path or an address."""

    def from_wheel(found: re.Match[str]) -> str:
        extras = found[1] or ""
        return f"{wheel}{extras}" if wheel.startswith("./") else f"hf_crosssight{extras} @ {wheel}"

    made, count = _OURS.subn(from_wheel, text)
    assert count == 1, "the Space's requirements name the package once"
    return made


def _given(wheel: Path) -> tuple[str, bytes]:
    if not re.fullmatch(r"hf_crosssight-[\w.+]+-py3-none-any\.whl", wheel.name) or not wheel.is_file():
        raise UserError(
            f"{wheel} is no wheel of hf_crosssight", "Make one with `pip wheel --no-deps .` in a checkout."
        )
    return wheel.name, wheel.read_bytes()


def _built() -> tuple[str, bytes]:
    """The checkout as a wheel; the same files give the same wheel, bit by bit."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, str(CHECKOUT)]
        isolation = ["--no-build-isolation"] if find_spec("hatchling") else []
        done = subprocess.run([*command, *isolation], capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            said = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
            raise UserError(f"the wheel cannot be made: {said}", "Install hatchling, or give a wheel with --wheel.")
        return wheels[0].name, wheels[0].read_bytes()
