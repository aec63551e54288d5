"""A zip of class folders, read in memory and distrusted: nothing is unpacked to disk, nothing in it is run.

Refused are archives that are too large, packed or unpacked, entries that point outside, symbolic links, encrypted
entries, archives in archives, and files that can carry code (SVG, HTML, scripts). Other files are left alone.
"""

from __future__ import annotations

import stat
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hf_crosssight.data.folder import IMAGE_SUFFIXES
from hf_crosssight.data.tree import FileTree
from hf_crosssight.errors import UserError
from hf_crosssight.space.pictures import check_picture

_NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".lz4", ".jar", ".whl")
_ACTIVE = (
    *(".svg", ".svgz", ".html", ".htm", ".xhtml", ".mhtml", ".pdf", ".eps", ".ps", ".swf"),
    *(".js", ".mjs", ".py", ".pyc", ".php", ".sh", ".bat", ".cmd", ".ps1", ".vbs", ".hta", ".wasm", ".class"),
    *(".exe", ".dll", ".so", ".lnk", ".desktop", ".pkl", ".pickle", ".pt", ".pth"),
)
_FORM = "Zip one folder for each class, with its images inside (PNG, JPEG, WebP, GIF, BMP, TIFF)."


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold.

    Attributes:
        packed_bytes: size of the zip file.
        entries: files and folders in it.
        file_bytes: one file, unpacked.
        unpacked_bytes: all of it, as stated and as read.
    """

    packed_bytes: int = 64 * 2**20
    entries: int = 5_000
    file_bytes: int = 20 * 2**20
    unpacked_bytes: int = 256 * 2**20


def archive_tree(path: str | Path, limits: Limits | None = None) -> FileTree:
    """The images of a zip file as a tree that the data room can sample; entries are unpacked when they are read.

    Raises:
        UserError: it is no zip file, it holds no image, or it holds what is refused.
    """
    limits = limits or Limits()
    try:
        packed = Path(path).stat().st_size
        archive = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise UserError("the upload is not there any more", "Upload it again.") from error
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError("the file is not a zip archive, or it is damaged", _FORM) from error
    if packed > limits.packed_bytes:
        raise UserError(f"the archive has {_mb(packed)}", f"Upload at most {_mb(limits.packed_bytes)}.")
    images = _checked(archive.infolist(), limits)
    return FileTree(
        "upload",
        None,
        {name: info.file_size for name, info in images.items()},
        _reader(archive, images, limits),
        lambda name: images[name].file_size,
        no_stream=UserError("the archive holds no class folders of images", _FORM),
    )


def _checked(entries: list[zipfile.ZipInfo], limits: Limits) -> dict[str, zipfile.ZipInfo]:
    """The images by their paths, after every entry was looked at."""
    if len(entries) > limits.entries:
        raise UserError(
            f"the archive holds {len(entries):,} entries",
            f"Upload at most {limits.entries:,}; ten images of each class are used.",
        )
    for entry in entries:
        _refuse(entry, limits)
    total = sum(entry.file_size for entry in entries)
    if total > limits.unpacked_bytes:
        raise UserError(
            f"the archive unpacks to {_mb(total)}", f"Upload at most {_mb(limits.unpacked_bytes)} unpacked."
        )
    images = {
        entry.filename: entry
        for entry in entries
        if entry.filename.lower().endswith(IMAGE_SUFFIXES)
        and not any(part.startswith((".", "__MACOSX")) for part in entry.filename.split("/"))
    }
    if not images:
        raise UserError("the archive holds no images", _FORM)
    return images


def _refuse(entry: zipfile.ZipInfo, limits: Limits) -> None:
    name = entry.filename
    path, suffix = PurePosixPath(name), PurePosixPath(name.lower()).suffix
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in entry.orig_filename:
        raise UserError(f"the archive has an entry that points outside of it: {name}", "Zip the folder itself.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise UserError(f"the archive holds a symbolic link: {name}", "Zip the images themselves.")
    if entry.flag_bits & 1:
        raise UserError("the archive is encrypted", "Zip it without a password.")
    if suffix in _NESTED:
        raise UserError(f"the archive holds another archive: {name}", _FORM)
    if suffix in _ACTIVE:
        raise UserError(f"the archive holds a file that can carry code: {name}", _FORM)
    if entry.file_size > limits.file_bytes:
        raise UserError(f"{name} has {_mb(entry.file_size)}", f"A file may have {_mb(limits.file_bytes)} at most.")


def _reader(
    archive: zipfile.ZipFile, images: dict[str, zipfile.ZipInfo], limits: Limits
) -> Callable[[str, list[tuple[int, int]]], list[bytes]]:
    """Reads entries, and stops where more comes out than the archive stated or may hold."""
    lock, unpacked = threading.Lock(), 0

    def read(name: str, ranges: list[tuple[int, int]]) -> list[bytes]:
        nonlocal unpacked
        try:
            content = archive.read(images[name])  # zipfile stops at the size that the entry states
        except Exception as error:  # besides zipfile's errors those of zlib, lzma and bz2
            raise UserError(f"{name} cannot be unpacked: {error}", "Make the archive again.") from error
        with lock:
            unpacked += len(content)
            if unpacked > limits.unpacked_bytes:
                raise UserError("more comes out of the archive than it states", "Make the archive again.")
        check_picture(content, name)
        return [content[start:stop] for start, stop in ranges]

    return read


def _mb(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"
