"""Header walks: what a file is, and the bare picture in it, without a decode."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image
from profiles import P3, SRGB, matrix_profile

from plantid_core.errors import UploadRejected
from plantid_core.lab.pictures import (
    chunk,
    encode,
    flat_jpeg,
    gif_frame,
    gif_head,
    many_scans,
    png,
    quadrants,
    riff,
    segment,
    with_chunk,
)
from plantid_core.upload import Policy
from plantid_core.upload.container import Header, walk

POLICY = Policy()
FORMATS = ("JPEG", "PNG", "GIF", "WEBP")


def refusal(data: bytes, format_name: str, policy: Policy = POLICY) -> UploadRejected:
    with pytest.raises(UploadRejected) as caught:
        walk(data, format_name, policy)
    return caught.value


def exif(orientation: int = 6, *, place: bool = True) -> Image.Exif:
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    if place:
        block[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N"}
    return block


def pixels(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGBA").tobytes()


@pytest.mark.parametrize("format_name", FORMATS)
def test_bare_picture_decodes_to_the_same_pixels(format_name: str) -> None:
    """Stripping loses no pixel, and a second walk finds nothing more to strip."""
    data = quadrants(format_name) + b"trailing"
    header = walk(data, format_name, POLICY)

    bare = header.stripped(data)

    assert pixels(bare) == pixels(data)
    assert (header.width, header.height, header.trailing) == (320, 240, 8)
    again = walk(bare, format_name, POLICY)
    assert (again.embedded, again.trailing) == ((), 0)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_orientation_and_place_are_told_and_stripped(format_name: str) -> None:
    """EXIF is read for its orientation, and for whether it tells a place, and goes."""
    data = quadrants(format_name, exif=exif())

    header = walk(data, format_name, POLICY)

    assert header.orientation == 6
    assert {"EXIF", "place"} <= set(header.metadata)
    assert b"II*\0" not in header.stripped(data)
    assert b"MM\0*" not in header.stripped(data)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("colorants", "gamut"), [(P3, "display-p3"), (SRGB, None)])
def test_wide_colour_space_is_recognised(
    format_name: str, colorants: tuple[tuple[float, ...], ...], gamut: str | None
) -> None:
    """Display P3 is told from its primaries; sRGB needs no conversion; the profile goes."""
    data = quadrants(format_name, icc_profile=matrix_profile(colorants))

    header = walk(data, format_name, POLICY)

    assert header.gamut == gamut
    assert "colour profile" in header.metadata
    assert b"acsp" not in header.stripped(data)


def test_png_code_points_name_the_colour_space() -> None:
    """PNG's cICP chunk says Display P3 in four bytes."""
    data = with_chunk(quadrants("PNG"), b"cICP", bytes([12, 13, 0, 1]))

    assert walk(data, "PNG", POLICY).gamut == "display-p3"


def test_profile_bomb_is_inflated_no_further_than_the_limit() -> None:
    """A profile of 100 MB, deflated, is read for its first bytes only."""
    packer = zlib.compressobj(9)
    bomb = packer.compress(matrix_profile(P3)) + packer.compress(bytes(100_000_000))
    data = with_chunk(quadrants("PNG"), b"iCCP", b"p3\0\0" + bomb + packer.flush())

    assert walk(data, "PNG", POLICY).gamut == "display-p3"


@given(st.binary(max_size=200), st.integers(0, 200))
def test_damaged_profiles_and_exif_change_nothing_else(noise: bytes, at: int) -> None:
    """Whatever a profile or EXIF holds, the picture is walked, and an orientation is 1 to 8."""
    profile = bytearray(matrix_profile(P3))
    profile[at : at + len(noise)] = noise
    data = quadrants()
    data = (
        data[:2]
        + segment(0xE1, b"Exif\0\0" + noise)
        + segment(0xE2, b"ICC_PROFILE\0\x01\x01" + bytes(profile))
        + data[2:]
    )

    header = walk(data, "JPEG", POLICY)

    assert 1 <= header.orientation <= 8
    assert pixels(header.stripped(data)) == pixels(data)


def test_only_the_first_frame_of_an_animation_is_kept() -> None:
    """A decoder gets one still picture of an animated WebP, GIF or PNG."""
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "lime", "blue")]
    for format_name in ("WEBP", "GIF", "PNG"):
        data = encode(frames[0], format_name, save_all=True, append_images=frames[1:], duration=50)
        header = walk(data, format_name, POLICY)

        bare = header.stripped(data)

        assert header.frames == 3, format_name
        with Image.open(io.BytesIO(bare)) as image:
            assert getattr(image, "n_frames", 1) == 1
            assert image.convert("RGB").getpixel((5, 5))[0] > 240
        assert "more pictures" in header.metadata


def _small_frame() -> Header:
    still = encode(Image.new("RGB", (10, 8), "red"), "WEBP", lossless=True)
    place = (4).to_bytes(3, "little") + (3).to_bytes(3, "little")
    size = (9).to_bytes(3, "little") + (7).to_bytes(3, "little")
    frame = place + size + bytes(3) + b"\0" + still[12:]
    canvas = struct.pack("<I", 2) + (39).to_bytes(3, "little") + (29).to_bytes(3, "little")
    data = riff((b"VP8X", canvas), (b"ANIM", bytes(6)), (b"ANMF", frame))
    return walk(data, "WEBP", POLICY)


def test_frame_smaller_than_its_canvas_has_a_place_on_it() -> None:
    """Canvas, frame and offset of an animated WebP are told apart."""
    header = _small_frame()

    assert (header.width, header.height, header.offset) == (40, 30, (8, 6))


def test_thumbnails_and_other_pictures_are_dropped() -> None:
    """A JFIF extension, a maker's note and a second picture do not reach the decoder."""
    data = quadrants()
    data = (
        data[:2]
        + segment(0xE0, b"JFXX\0\x10" + data)
        + segment(0xE2, b"MPF\0" + bytes(20))
        + data[2:]
    )

    header = walk(data, "JPEG", POLICY)

    assert header.stripped(data).count(b"\xff\xd8") == 1
    assert {"application data", "more pictures"} <= set(header.metadata)


@pytest.mark.parametrize(
    ("data", "format_name", "code"),
    [
        (png(10_001, 2), "PNG", "side"),
        (png(9_990, 9_990), "PNG", "pixels"),
        (png(7_000, 8_000, colour=6, row_filter=4, noise_period=1021), "PNG", "raw_bytes"),
        (png(10_000, 8_900, colour=6, depth=16), "PNG", "raw_bytes"),
        (flat_jpeg(11_489, 11_489), "JPEG", "side"),
        (gif_head(1, 1) + gif_frame() * 101 + b";", "GIF", "frames"),
        (gif_head(16, 16) + gif_frame(width=20_000) + b";", "GIF", "side"),
        (
            gif_head(1, 1) + b"\x21\xfe" + b"\1x" * 50_001 + b"\0" + gif_frame() + b";",
            "GIF",
            "segments",
        ),
        (with_chunk(quadrants("PNG"), b"acTL", struct.pack(">II", 101, 0)), "PNG", "frames"),
        (quadrants("PNG")[:33] + chunk(b"quCK", b"") * 50_001, "PNG", "segments"),
        (riff(*[(b"JUNK", b"")] * 50_001), "WEBP", "segments"),
        (quadrants()[:2] + segment(0xFE, b"") * 50_001, "JPEG", "segments"),
        (quadrants()[:-2], "JPEG", "incomplete"),
        (quadrants()[:2] + quadrants(), "JPEG", "incomplete"),
        (quadrants("PNG")[:-12], "PNG", "incomplete"),
        (quadrants("GIF")[:-1], "GIF", "incomplete"),
        (quadrants("WEBP")[:-1], "WEBP", "incomplete"),
        (gif_head(4, 4) + b";", "GIF", "incomplete"),
        (quadrants("PNG")[:33] + quadrants("PNG")[8:], "PNG", "incomplete"),
        (riff((b"VP8X", bytes(10))), "WEBP", "incomplete"),
        (riff((b"ALPH", bytes(10))), "WEBP", "incomplete"),
    ],
)
def test_each_limit_has_its_code(data: bytes, format_name: str, code: str) -> None:
    """A file beyond a limit is refused for it, at the header gate."""
    refused = refusal(data, format_name)

    assert (refused.code, refused.layer) == (code, "header")


def test_scans_cannot_multiply_area() -> None:
    """A progressive JPEG is bounded in scans, in area, and in their product."""
    small = encode(Image.new("L", (64, 64)), "JPEG", progressive=True)
    large = encode(Image.new("L", (8_000, 5_008)), "JPEG", progressive=True)
    middle = encode(Image.new("L", (8_000, 4_000)), "JPEG", progressive=True)

    assert refusal(many_scans(small, 100), "JPEG").code == "scans"
    assert refusal(large, "JPEG").code == "progressive_pixels"
    assert refusal(many_scans(middle, 15), "JPEG").code == "scanned_pixels"


def test_canvas_and_picture_must_agree() -> None:
    """A WebP whose canvas is another size than its picture contradicts itself."""
    still = encode(Image.new("RGB", (10, 8)), "WEBP", lossless=True)
    canvas = bytes(4) + (99).to_bytes(3, "little") + (99).to_bytes(3, "little")

    refused = refusal(riff((b"VP8X", canvas), (b"VP8L", still[20:])), "WEBP")

    assert (refused.code, refused.value) == (
        "incomplete",
        "its picture and its canvas differ in size",
    )


def test_fill_before_a_dropped_segment_makes_no_new_marker() -> None:
    """What is dropped from between entropy data takes its fill bytes along."""
    data = quadrants()
    middle = data.index(b"\xff\xda") + 200
    spliced = data[:middle] + b"\xff\xff\xff\xfe\0\x04hi" + b"\xe1\xff\0" + data[middle:]
    header = walk(spliced, "JPEG", POLICY)

    again = walk(header.stripped(spliced), "JPEG", POLICY)

    assert header.metadata == ("comment",)
    assert again.embedded == ()


@pytest.mark.parametrize("format_name", FORMATS)
@given(data=st.data())
def test_walks_end_in_a_header_or_a_refusal(format_name: str, data: st.DataObject) -> None:
    """Any bytes behind a signature: nothing but these two outcomes."""
    start = data.draw(st.integers(2, 60))
    mutant = quadrants(format_name)[:start] + data.draw(st.binary(max_size=120))

    try:
        header = walk(mutant, format_name, POLICY)
    except UploadRejected:
        return
    assert isinstance(header.stripped(mutant), bytes)
