from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hf_crosssight.data.images import MAX_SHORT_SIDE, BrokenImageError, HeldImages, decode, hold
from tests.data.repositories import encoded, picture


def pixels(raw) -> np.ndarray:
    image = decode(raw)
    assert image.mode == "RGB"
    return np.asarray(image)


def test_grey_becomes_three_equal_channels():
    grey = picture(0, mode="L")
    found = pixels(encoded(grey))
    assert all(np.array_equal(found[..., channel], np.asarray(grey)) for channel in range(3))


def test_transparent_pixels_are_white_whatever_lies_under_them():
    rgba = np.zeros((4, 4, 4), dtype=np.uint8)
    rgba[0, 0] = (10, 20, 30, 255)
    found = pixels(encoded(Image.fromarray(rgba)))
    assert found[0, 0].tolist() == [10, 20, 30]
    assert found[3, 3].tolist() == [255, 255, 255]


def test_palette_images_show_their_colours_and_their_transparency():
    colours = picture(1).convert("P")
    assert np.array_equal(pixels(encoded(colours)), np.asarray(colours.convert("RGB")))
    clear = Image.new("P", (2, 1))
    clear.putpalette([255, 0, 0, 0, 0, 255])
    clear.putpixel((1, 0), 1)
    found = pixels(encoded(clear, transparency=0))
    assert found[0].tolist() == [[255, 255, 255], [0, 0, 255]]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_not_clipped(format):
    deep = np.asarray([[0, 257, 32896, 65535]], dtype=np.uint16)
    assert pixels(encoded(Image.fromarray(deep), format))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_12_bits_in_16_are_not_left_in_the_dark():
    assert pixels(encoded(Image.fromarray(np.asarray([[0, 4095]], dtype=np.uint16))))[0, :, 0].tolist() == [0, 255]


def test_float_images_and_arrays_of_any_layout():
    ramp = np.asarray([[0.0, 0.5, 1.0]], dtype=np.float32)
    assert pixels(Image.fromarray(ramp))[0, :, 0].tolist() == [0, 128, 255]
    assert pixels(ramp)[0, :, 1].tolist() == [0, 128, 255]
    colour = np.asarray(picture(2))
    assert np.array_equal(pixels(colour), colour)
    assert np.array_equal(pixels(np.moveaxis(colour, -1, 0)), colour)
    assert np.array_equal(pixels(colour[..., :1])[..., 2], colour[..., 0])
    assert pixels(np.asarray([[True, False]]))[0, :, 0].tolist() == [255, 0]


def test_exif_orientation_is_applied():
    image = Image.new("RGB", (20, 10), "red")
    image.paste("blue", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: left goes up
    found = pixels(encoded(image, "JPEG", exif=exif, quality=95))
    assert found.shape[:2] == (20, 10)
    assert found[2, 5, 2] > 200 > found[17, 5, 2]


@pytest.mark.parametrize("mode", ["CMYK", "1", "LA", "HSV"])
def test_other_modes_become_rgb(mode):
    assert decode(picture(3).convert("RGB").convert("L" if mode in ("LA", "1") else "RGB").convert(mode)).mode == "RGB"


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    raw = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixels(raw)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no image at all",
        encoded(picture(4, (64, 64)))[:-2000],
        encoded(picture(4, (64, 64)), "JPEG")[:400],
        None,
        np.zeros((2, 3, 4, 5)),
        np.zeros((0, 4), dtype=np.uint8),
        "text",
    ],
)
def test_what_does_not_decode_is_broken(raw):
    with pytest.raises(BrokenImageError):
        decode(raw)


def test_small_images_are_held_as_they_came_and_large_ones_shrunk():
    raw = encoded(picture(5, (40, 30)))
    assert hold(raw) == raw
    wide = encoded(Image.new("RGB", (3000, 1500), "green"), "JPEG")
    held = hold(wide)
    assert isinstance(held, bytes)
    assert Image.open(io.BytesIO(held)).size == (2 * MAX_SHORT_SIDE, MAX_SHORT_SIDE)
    assert hold(wide) == held


def test_held_images_decode_on_access():
    first, second = picture(6), picture(7)
    images = HeldImages([encoded(first), second])
    assert len(images) == 2
    assert np.array_equal(np.asarray(images[0]), np.asarray(first))
    assert [image.size for image in images[1:]] == [second.size]
    assert len(list(images)) == 2


def test_postscript_is_not_decoded_since_pillow_would_run_ghostscript_on_it():
    with pytest.raises(BrokenImageError, match="cannot identify"):
        decode(encoded(picture(0), "EPS"))
