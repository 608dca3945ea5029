"""Damaged files by the thousand: a photo that decodes, or a refusal, and nothing else."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import ExifTags, Image
from profiles import P3, matrix_profile

from plantid_core.errors import UploadRejected
from plantid_core.lab.pictures import encode, photo_like, with_chunk
from plantid_core.upload import Photo, Policy, admit
from plantid_core.upload.isolation.peak import PeakMemory

if TYPE_CHECKING:
    from collections.abc import Callable

    Mutation = Callable[[bytearray, np.random.Generator, bytes], bytearray]

SIZE = (72, 56)
MOST_BYTES = 800_000_000
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "GIF": "gif", "WEBP": "webp"}


def originals() -> list[tuple[str, bytes]]:
    """Return honest files of every kind, with the name each is sent under."""
    picture = photo_like(*SIZE)
    faded = picture.convert("RGBA")
    faded.putalpha(Image.linear_gradient("L").resize(SIZE))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    profile = matrix_profile(P3)
    frames = {"save_all": True, "append_images": [picture.rotate(9), picture.rotate(18)]}
    made: list[tuple[str, Image.Image, dict[str, object]]] = [
        ("JPEG", picture, {"exif": exif, "icc_profile": profile, "comment": b"hello"}),
        ("JPEG", picture, {"progressive": True}),
        ("JPEG", picture.convert("CMYK"), {}),
        ("JPEG", picture.convert("L"), {"restart_marker_rows": 1}),
        ("PNG", faded, {"exif": exif, "icc_profile": profile}),
        ("PNG", picture.quantize(16), {}),
        ("PNG", picture, dict(frames)),
        ("PNG", Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 200), {}),
        ("GIF", picture, dict(frames)),
        ("GIF", picture.quantize(8), {"transparency": 3, "comment": b"hello"}),
        ("WEBP", faded, {"exif": exif, "icc_profile": profile}),
        ("WEBP", picture, {"lossless": True}),
        ("WEBP", faded, {**frames, "lossless": True}),
    ]
    files = [
        (f"leaf.{EXTENSIONS[name]}", encode(image, name, **options))
        for name, image, options in made
    ]
    return [*files, ("leaf.png", with_chunk(files[4][1], b"tEXt", b"k\0v"))]


def flip(data: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    for at in rng.integers(0, len(data), rng.integers(1, 12)):
        data[at] ^= 1 << int(rng.integers(8))
    return data


def overwrite(data: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    at, size = int(rng.integers(len(data))), int(rng.integers(1, 9))
    data[at : at + size] = rng.choice([0, 1, 0x7F, 0x80, 0xFF], size).astype(np.uint8).tobytes()
    return data


def cut(data: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    begin = int(rng.integers(len(data)))
    del data[begin : begin + int(rng.integers(1, len(data)))]
    return data


def splice(data: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    at, begin = int(rng.integers(len(data))), int(rng.integers(len(other)))
    return data[:at] + other[begin : begin + int(rng.integers(1, len(other)))] + data[at:]


def swap(data: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    a, b, c = sorted(int(at) for at in rng.integers(0, len(data), 3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def repeat(data: bytearray, rng: np.random.Generator, _: bytes) -> bytearray:
    a, b = sorted(int(at) for at in rng.integers(0, len(data), 2))
    return data[:b] + data[a:b] * int(rng.integers(1, 40)) + data[b:]


MUTATIONS: tuple[Mutation, ...] = (flip, flip, overwrite, cut, splice, swap, repeat)


def judge(data: bytes, name: str) -> str:
    """Return the verdict's code; the photo of an accepted file has been decoded once more."""
    try:
        photo = admit(data, name, isolate=False)
    except UploadRejected as rejected:
        assert str(rejected)
        return rejected.code
    assert isinstance(photo, Photo)
    with Image.open(io.BytesIO(photo.jpeg), formats=["JPEG"]) as image:
        image.load()
        assert image.size == (photo.width, photo.height)
    return "accepted"


@pytest.mark.parametrize(
    "count", [4_000, pytest.param(100_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_mutants_are_admitted_or_refused(count: int) -> None:
    """Bit flips, cuts, splices, swaps and repetitions of every format, from a fixed seed."""
    rng, files, meter = np.random.default_rng(20_26), originals(), PeakMemory()
    meter.begin()
    verdicts: dict[str, int] = {}
    slowest = 0.0
    for _ in range(count):
        name, original = files[rng.integers(len(files))]
        _, other = files[rng.integers(len(files))]
        mutant = bytearray(original)
        for _ in range(rng.integers(1, 4)):
            mutant = MUTATIONS[rng.integers(len(MUTATIONS))](mutant or bytearray(b"\0"), rng, other)
        begin = time.monotonic()
        code = judge(bytes(mutant), name)
        slowest = max(slowest, time.monotonic() - begin)
        verdicts[code] = verdicts.get(code, 0) + 1

    assert sum(verdicts.values()) == count
    assert verdicts["accepted"] > count // 50
    assert {"incomplete", "undecodable", "type", "side"} <= set(verdicts)
    assert slowest < Policy().decode_seconds
    assert meter.taken() < MOST_BYTES
