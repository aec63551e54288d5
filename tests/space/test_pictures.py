"""Pictures from strangers: checked, shrunk, and put together to a dataset by hand."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from hf_crosssight.data import load_sample
from hf_crosssight.errors import UserError
from hf_crosssight.space.pictures import (
    MAX_PER_CLASS,
    class_name,
    pictures_sample,
    read_pictures,
    slim_sample,
    thumbnails,
)
from tests.data.repositories import encoded, picture


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_large_pictures_shrink_to_what_the_encoder_looks_at(tmp_path):
    paths = [
        written(tmp_path, "a.jpg", encoded(picture(0, (900, 600)), "JPEG")),
        written(tmp_path, "b.png", encoded(picture(1))),
    ]
    large, small = (Image.open(io.BytesIO(raw)) for raw in read_pictures(paths))
    assert large.size == (384, 256)
    assert (small.size, small.format) == ((12, 8), "PNG")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.png", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("a.png", b"PK\x03\x04"),
        ("a.jpg", b""),
    ],
)
def test_what_is_no_picture_is_refused_by_its_name(tmp_path, name, content):
    with pytest.raises(UserError, match=rf"{name} is no picture"):
        read_pictures([written(tmp_path, name, content)])


def test_too_many_pictures_of_a_class_are_refused(tmp_path):
    with pytest.raises(UserError, match="at most"):
        read_pictures([tmp_path / "a.png"] * (MAX_PER_CLASS + 1))


def test_class_names_are_one_line_of_text():
    assert class_name("  my\n cat\x00 ") == "my cat"
    assert len(class_name("x" * 999)) == 60
    with pytest.raises(UserError, match="no name"):
        class_name(" \t ")


def test_classes_by_hand_make_a_dataset_from_two_on():
    pictures = {name: [encoded(picture(seed))] * 2 for seed, name in enumerate(("cat", "dog"))}
    sample = pictures_sample(pictures)
    assert (sample.id, sample.class_names, len(sample.images)) == ("upload", ("cat", "dog"), 4)
    with pytest.raises(UserError, match="only one class"):
        pictures_sample({"cat": pictures["cat"]})


def test_a_session_holds_small_pictures_and_thumbnails_of_each_class():
    images = [picture(seed, (700, 500)) for seed in range(4)]
    sample = slim_sample(load_sample({"images": images, "labels": ["cat", "dog"] * 2}))
    assert {image.size for image in sample.images} == {(358, 256)}
    shown = thumbnails(sample, most=1)
    assert list(shown) == ["cat", "dog"]
    assert all(
        len(addresses) == 1 and addresses[0].startswith("data:image/webp;base64,") for addresses in shown.values()
    )
