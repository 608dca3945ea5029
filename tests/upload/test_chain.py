"""The path from bytes to a Photo."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from plantid_core.errors import UploadRejected
from plantid_core.upload import Photo, Policy, admit

if TYPE_CHECKING:
    from collections.abc import Callable

    Encode = Callable[..., bytes]

NAMES = {"JPEG": "leaf.jpg", "PNG": "leaf.png", "GIF": "leaf.gif", "WEBP": "leaf.webp"}
CORNERS = {(10, 10): "red", (-10, 10): "green", (10, -10): "blue", (-10, -10): "white"}
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def assert_upright(photo: Photo) -> None:
    with Image.open(io.BytesIO(photo.jpeg)) as image:
        image.load()
        for (x, y), colour in CORNERS.items():
            pixel = image.getpixel((x % image.width, y % image.height))
            assert np.abs(np.subtract(pixel, COLOURS[colour])).max() < 40, (x, y, pixel)


def rejection(data: bytes, name: str = "leaf.jpg") -> UploadRejected:
    with pytest.raises(UploadRejected) as caught:
        admit(data, name)
    return caught.value


@pytest.mark.parametrize("format_name", NAMES)
def test_every_format_becomes_a_clean_jpeg(quadrants: Encode, format_name: str) -> None:
    """Each of the four formats comes out as an upright JPEG of the same size."""
    photo = admit(quadrants(format_name), NAMES[format_name])

    assert (photo.width, photo.height, photo.source_format) == (320, 240, format_name)
    assert_upright(photo)


def test_large_photo_is_scaled_to_the_long_side(quadrants: Encode) -> None:
    """A long side above 1500 px becomes exactly 1500 px."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(quadrants())) as image:
        image.resize((4000, 3000)).save(buffer, "JPEG")

    photo = admit(buffer.getvalue(), "IMG_0001.JPG")

    assert (photo.width, photo.height) == (1500, 1125)
    assert_upright(photo)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_forgotten(quadrants: Encode, orientation: int) -> None:
    """Whatever EXIF's orientation says, the output is upright and has no EXIF."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    with Image.open(io.BytesIO(quadrants("PNG"))) as image:
        turned = image.transpose(undo[orientation]) if orientation in undo else image.copy()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", exif=exif, quality=95)

    photo = admit(buffer.getvalue(), "leaf.jpg")

    assert (photo.width, photo.height) == (320, 240)
    assert "EXIF" in photo.stripped
    assert_upright(photo)


def test_nothing_private_or_active_survives(quadrants: Encode) -> None:
    """Comments, EXIF and trailing bytes are gone from the output."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "PAYLOAD-in-exif"
    data = quadrants(exif=exif, comment=b"PAYLOAD<?php") + b"PAYLOAD trailing"

    photo = admit(data, "leaf.jpg")

    assert b"PAYLOAD" not in photo.jpeg
    assert photo.jpeg.endswith(b"\xff\xd9")
    assert set(photo.stripped) == {"comment", "EXIF", "trailing data"}


def test_transparency_becomes_white() -> None:
    """Pixels hidden under alpha 0 don't appear."""
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[..., 0] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")

    photo = admit(buffer.getvalue(), "leaf.png")

    with Image.open(io.BytesIO(photo.jpeg)) as image:
        assert min(image.getpixel((32, 32))) > 250


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    """16-bit grey is scaled, not clipped."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((32, 32), 0x6400, np.uint16)).save(buffer, "PNG")

    photo = admit(buffer.getvalue(), "leaf.png")

    with Image.open(io.BytesIO(photo.jpeg)) as image:
        assert abs(image.convert("L").getpixel((16, 16)) - 100) <= 2


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "name_length"),
        ("x" * 252 + ".jpg", "name_length"),
        ("leaf\x00.jpg", "name_characters"),
        ("leaf\u202egpj.jpg", "name_characters"),
        ("../../etc/passwd.jpg", "name_path"),
        ("a\\b.jpg", "name_path"),
        (".jpg", "name_stem"),
        ("leaf", "extension"),
        ("jpg", "extension"),
        ("leaf.svg", "extension"),
        ("leaf.jpg.", "extension"),
        ("malicious.php.jpg", "double_extension"),
        ("leaf.png", "type_mismatch"),
    ],
)
def test_bad_names_are_refused(quadrants: Encode, name: str, code: str) -> None:
    """A name that hides something is refused with its code."""
    assert rejection(quadrants(), name).code == code


def test_empty_file_is_refused_at_the_size_gate() -> None:
    """An empty file says so."""
    assert (rejection(b"").code, rejection(b"").layer) == ("empty", "size")


def test_size_is_the_first_gate() -> None:
    """A file over the limit is refused for its size, whatever its name and content."""
    refused = rejection(b"\0" * (10 * 1024 * 1024 + 1), "x.php")

    assert refused.code == "too_large"
    assert (refused.limit, refused.value) == (10485760, 10485761)


def test_other_content_is_named_for_what_it_is() -> None:
    """A PDF under a photo's name is called a PDF document."""
    refused = rejection(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n")

    assert refused.code == "type"
    assert "PDF document" in str(refused.detected)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_dimension_bomb_is_refused_from_its_header() -> None:
    """A PNG that promises 50,000 x 50,000 px never reaches the decoder."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")

    refused = rejection(data, "leaf.png")

    assert (refused.code, refused.layer, refused.limit) == ("side", "header", 10_000)


def test_animation_bomb_is_refused_from_its_header() -> None:
    """A GIF of more than 100 frames is refused by counting them."""
    frames = [Image.new("L", (2, 2), shade) for shade in range(101)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])

    assert rejection(buffer.getvalue(), "leaf.gif").code == "frames"


def test_segment_flood_is_refused_from_its_header(quadrants: Encode) -> None:
    """A JPEG of 50,001 empty segments is refused by counting them."""
    data = quadrants()
    flood = data[:2] + b"\xff\xfe\x00\x02" * 50_001 + data[2:]

    assert rejection(flood).code == "segments"


@pytest.mark.parametrize("format_name", NAMES)
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_truncated_files_are_refused(quadrants: Encode, format_name: str, kept: float) -> None:
    """Half a photo is no photo, in every format."""
    data = quadrants(format_name)

    assert rejection(data[: int(len(data) * kept)], NAMES[format_name]).code in {
        "incomplete",
        "undecodable",
        "type_mismatch",
    }


def test_full_size_is_kept_on_request(quadrants: Encode) -> None:
    """keep_full returns the same picture at full size, cleaned alike."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(quadrants())) as image:
        image.resize((2000, 1500)).save(buffer, "JPEG")

    photo = admit(buffer.getvalue(), "leaf.jpg", policy=Policy(keep_full=True))

    assert photo.width == 1500
    assert photo.full is not None
    with Image.open(io.BytesIO(photo.full)) as full:
        assert full.size == (2000, 1500)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), format_name=st.sampled_from(sorted(NAMES)))
def test_mutants_are_admitted_or_refused(
    quadrants: Encode, data: st.DataObject, format_name: str
) -> None:
    """A damaged file yields a Photo that decodes, or UploadRejected; nothing else."""
    mutant = bytearray(quadrants(format_name))
    for _ in range(data.draw(st.integers(1, 8))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, 3))
    del mutant[len(mutant) - cut :]

    try:
        photo = admit(bytes(mutant), NAMES[format_name])
    except UploadRejected as rejected:
        assert str(rejected)
    else:
        with Image.open(io.BytesIO(photo.jpeg)) as image:
            image.load()
