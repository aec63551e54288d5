"""What a zip from a stranger may hold, and what is refused of it."""

from __future__ import annotations

import struct
import zipfile
import zlib

import pytest

from hf_crosssight.data.request import SampleRequest
from hf_crosssight.data.tree import tree_sample
from hf_crosssight.errors import UserError
from hf_crosssight.space.archive import Limits, archive_tree
from tests.data.repositories import encoded, picture


def entries(*more):
    named = [(f"photos/{name}/{n}.png", encoded(picture(n))) for name in ("cat", "dog") for n in range(3)]
    return [*named, *more]


def zipped(tmp_path, files, method=zipfile.ZIP_DEFLATED):
    path = tmp_path / "upload.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return path


def sample_of(path, limits=None):
    return tree_sample(archive_tree(path, limits), SampleRequest())


def test_class_folders_are_read_and_what_is_no_image_is_left_alone(tmp_path):
    clutter = [("__MACOSX/photos/cat/._0.png", b"x"), ("photos/.DS_Store", b"x"), ("photos/notes.txt", b"x")]
    sample = sample_of(zipped(tmp_path, entries(*clutter)))
    assert (sample.id, sample.class_names, sample.labels.tolist()) == ("upload", ("cat", "dog"), [0, 0, 0, 1, 1, 1])
    assert sample.num_rows == 6
    assert sample.images[0].size == (12, 8)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../../etc/passwd.png", "points outside"),
        ("/etc/passwd.png", "points outside"),
        ("photos/..\\..\\a.png", "points outside"),
        ("C:/a.png", "points outside"),
        ("photos/cat/more.zip", "another archive"),
        ("photos/cat/more.tar.gz", "another archive"),
        ("photos/cat/drawing.svg", "can carry code"),
        ("photos/cat/drawing.SVG", "can carry code"),
        ("index.html", "can carry code"),
        ("run.sh", "can carry code"),
        ("weights.pkl", "can carry code"),
    ],
)
def test_entries_that_are_refused(tmp_path, name, said):
    with pytest.raises(UserError, match=said):
        archive_tree(zipped(tmp_path, entries((name, b"x"))))


def test_symbolic_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("photos/cat/link.png")
    link.external_attr = 0o120777 << 16
    with pytest.raises(UserError, match="symbolic link"):
        archive_tree(zipped(tmp_path, entries((link, "/etc/passwd"))))


def test_encrypted_archives_are_refused(tmp_path):
    path = zipped(tmp_path, entries())
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 8] |= 1  # the flag of the last entry in the directory
    path.write_bytes(raw)
    with pytest.raises(UserError, match="encrypted"):
        archive_tree(path)


def test_limits_hold_for_what_the_archive_states(tmp_path):
    path = zipped(tmp_path, entries())
    size = path.stat().st_size
    for limits, said in (
        (Limits(packed_bytes=size - 1), "the archive has"),
        (Limits(entries=5), "6 entries"),
        (Limits(file_bytes=100), "photos/cat/0.png has"),
        (Limits(unpacked_bytes=1000), "unpacks to"),
    ):
        with pytest.raises(UserError, match=said):
            archive_tree(path, limits)


def test_a_bomb_that_states_less_than_comes_out_is_stopped_at_what_it_states(tmp_path):
    """A megabyte of zeros in an entry whose headers say 200 bytes."""
    path = tmp_path / "bomb.zip"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(2**20)) + packer.flush()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries():
            archive.writestr(name, content)
    named = b"photos/cat/9.png"
    body = path.read_bytes()
    end = body.rindex(b"PK\x05\x06")
    directory_at = struct.unpack("<I", body[end + 16 : end + 20])[0]
    sizes = struct.pack("<III", zlib.crc32(bytes(200)), len(packed), 200)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + struct.pack("<HH", len(named), 0) + named
    central = (
        b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes
        + struct.pack("<HHHHHII", len(named), 0, 0, 0, 0, 0, directory_at) + named
    )  # fmt: skip
    directory = body[directory_at:end] + central
    tail = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 7, 7, len(directory), directory_at + len(local + packed), 0)
    path.write_bytes(body[:directory_at] + local + packed + directory + tail)
    assert archive_tree(path).read("photos/cat/9.png") == bytes(200)


def test_what_is_read_is_counted_against_the_limit_of_all(tmp_path):
    total = sum(len(content) for _, content in entries())
    path = zipped(tmp_path, entries())
    tree = archive_tree(path, Limits(unpacked_bytes=total))
    assert [len(tree.read(name)) for name in tree.sizes] == [len(content) for _, content in entries()]
    with pytest.raises(UserError, match="more comes out"):
        tree.read("photos/cat/0.png")


def test_a_picture_that_unpacks_to_too_many_pixels_is_refused(tmp_path):
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    with pytest.raises(UserError, match="million pixels"):
        sample_of(zipped(tmp_path, entries(("photos/cat/9.png", bomb))))


@pytest.mark.parametrize(("content", "said"), [(b"no zip", "not a zip archive"), (b"", "not a zip archive")])
def test_what_is_no_zip_is_told(tmp_path, content, said):
    path = tmp_path / "upload.zip"
    path.write_bytes(content)
    with pytest.raises(UserError, match=said):
        archive_tree(path)


def test_an_archive_without_images_says_what_it_should_hold(tmp_path):
    with pytest.raises(UserError, match="no images") as raised:
        archive_tree(zipped(tmp_path, [("a/readme.txt", b"x")]))
    assert "one folder for each class" in raised.value.hint


def test_an_svg_that_calls_itself_png_is_not_decoded(tmp_path):
    fake = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    files = [(f"{name}/{n}.png", fake) for name in ("cat", "dog") for n in range(3)]
    with pytest.raises(UserError, match="cannot be read"):
        sample_of(zipped(tmp_path, files))


def test_nothing_is_written_to_the_disk(tmp_path):
    path = zipped(tmp_path, entries())
    sample_of(path)
    assert [item.name for item in tmp_path.iterdir()] == ["upload.zip"]
