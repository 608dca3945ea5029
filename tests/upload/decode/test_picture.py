"""From a bare picture to a plain JPEG: sizes, colours, memory."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from profiles import P3, SRGB, matrix_profile

from plantid_core.errors import UploadRejected
from plantid_core.lab.pictures import encode, photo_like, quadrants
from plantid_core.upload import Policy, admit
from plantid_core.upload.chain import as_photo, inspect
from plantid_core.upload.decode import libwebp, raster
from plantid_core.upload.decode.gamut import to_srgb
from plantid_core.upload.decode.plan import Picture


def opened(jpeg: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


@settings(max_examples=40)
@given(
    st.sampled_from(["RGBA", "LA", "P", "1", "L", "CMYK", "I;16"]),
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(1, 5),
)
def test_strips_make_the_picture_that_a_whole_makes(
    mode: str, width: int, height: int, factor: int
) -> None:
    """Working in strips changes nothing."""
    image = photo_like(width, height).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image, np.uint16) * 257)

    whole = raster.flatten(image, factor)
    strips, raster._STRIP_PIXELS = raster._STRIP_PIXELS, 1  # noqa: SLF001 - the seam under test
    try:
        pieces = raster.flatten(image, factor)
    finally:
        raster._STRIP_PIXELS = strips  # noqa: SLF001 - the same

    assert whole.mode == "RGB"
    assert pieces.tobytes() == whole.tobytes()


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_libwebp_itself_gives_what_pillow_gives(mode: str, *, lossless: bool) -> None:
    """The two ways to decode a WebP agree to the pixel."""
    assert libwebp.available()
    image = photo_like(203, 151).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    data = encode(image, "WEBP", lossless=lossless)

    ours = libwebp.decode(data, image.size, (0, 0), 1500)

    with Image.open(io.BytesIO(data)) as theirs:
        assert ours.tobytes() == raster.flatten(theirs).tobytes()


def test_small_first_frame_lies_on_white() -> None:
    """A frame that does not fill its canvas is shown where it belongs."""
    data = encode(Image.new("RGB", (10, 8), "red"), "WEBP", lossless=True)

    picture = libwebp.decode(data, (40, 30), (8, 6), 1500)

    assert picture.size == (40, 30)
    assert picture.getpixel((9, 7)) == (255, 0, 0)
    assert picture.getpixel((30, 20)) == (255, 255, 255)


def test_damaged_webp_is_refused() -> None:
    """A WebP whose data end early inside a complete container does not decode."""
    data = bytearray(encode(photo_like(300, 200), "WEBP", lossless=True))
    data[200:] = bytes(len(data) - 200)

    with pytest.raises(UploadRejected) as caught:
        admit(bytes(data), "leaf.webp", isolate=False)

    assert caught.value.code == "undecodable"


def test_wide_colours_come_out_as_a_colour_engine_would_have_them() -> None:
    """Our table for Display P3 agrees with littlecms, given the same profile."""
    image = photo_like(200, 150)
    wide = ImageCms.ImageCmsProfile(io.BytesIO(matrix_profile(P3)))
    plain = ImageCms.ImageCmsProfile(io.BytesIO(matrix_profile(SRGB)))
    expected = ImageCms.profileToProfile(image, wide, plain)
    assert expected is not None

    ours = to_srgb(image.copy(), "display-p3")

    error = np.abs(np.asarray(ours, int) - np.asarray(expected, int))
    assert error.mean() < 1.0
    assert np.percentile(error, 99) <= 4


def test_wide_colours_of_an_upload_are_converted() -> None:
    """A Display P3 photo's soft green is not shown as sRGB's."""
    flat = Image.new("RGB", (64, 64), (80, 200, 80))
    data = encode(flat, "PNG", icc_profile=matrix_profile(P3))

    photo = admit(data, "leaf.png", isolate=False)

    red, green, _ = opened(photo.jpeg).getpixel((32, 32))
    assert red < 40
    assert green > 200


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1500, 900), (1500, 900)), ((1650, 990), (1650, 990)), ((1651, 991), (1500, 900)),
     ((9000, 30), (1500, 5)), ((1, 1), (1, 1))],
)  # fmt: skip
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "GIF"])
def test_longer_side_is_brought_to_1500(
    size: tuple[int, int], expected: tuple[int, int], format_name: str
) -> None:
    """From a tenth above it on, the longer side becomes 1500 px; nothing is enlarged."""
    data = quadrants(format_name, size=size)

    photo = admit(data, f"leaf.{format_name.lower()}", isolate=False)

    assert (photo.width, photo.height) == expected


def test_full_size_is_turned_and_cleaned_alike() -> None:
    """Both pictures of one photo show the same."""
    image = photo_like(2400, 1600)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(image, "JPEG", exif=exif)

    photo = admit(data, "leaf.jpg", policy=Policy(keep_full=True), isolate=False)

    assert photo.full is not None
    full = opened(photo.full)
    assert full.size == (1600, 2400)
    small = np.asarray(full.resize((photo.width, photo.height)), float)
    assert np.abs(small - np.asarray(opened(photo.jpeg), float)).mean() < 6


@pytest.mark.parametrize(
    "jpeg",
    [b"<html>", quadrants("PNG"), quadrants(comment=b"x"), quadrants(size=(2000, 100))],
    ids=["no picture", "no JPEG", "a comment", "too large"],
)
def test_what_comes_back_from_a_worker_is_checked(jpeg: bytes) -> None:
    """A worker that was taken over cannot hand back what it likes."""
    header = inspect(quadrants(), "leaf.jpg", Policy())

    with pytest.raises(UploadRejected) as caught:
        as_photo(Picture(jpeg), header, Policy())

    assert (caught.value.code, caught.value.layer) == ("unsafe_output", "re-encode")
