"""The costliest files that the limits still let in, as far as we could find them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from plantid_core.lab.pictures import encode, many_scans, png

if TYPE_CHECKING:
    from collections.abc import Callable

_WIDTH, _HEIGHT = 10_000, 8_900
_TILE = 500


def _tiled(width: int, height: int, mode: str, levels: int, cell: int) -> Image.Image:
    """Return a large picture of random cells, laid out from one tile."""
    rng = np.random.default_rng(3)
    shape = (_TILE // cell, _TILE // cell, len(Image.new(mode, (1, 1)).getbands()))
    small = (rng.integers(0, levels, shape) * (255 // max(1, levels - 1))).astype(np.uint8)
    tile = Image.fromarray(small.squeeze(), mode).resize((_TILE, _TILE), Image.Resampling.NEAREST)
    picture = Image.new(mode, (width, height))
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            picture.paste(tile, (left, top))
    return picture


def _progressive(mode: str, width: int, height: int, scans: int) -> bytes:
    """Return a progressive JPEG of exactly so many scans, its last refinement repeated."""
    picture = _tiled(width, height, mode, 2, 50)
    data = encode(picture, "JPEG", progressive=True, quality=30, subsampling=0)
    return many_scans(data, scans - data.count(b"\xff\xda"))


def _turned(data: bytes, orientation: int) -> bytes:
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    return data[:2] + struct.pack(">BBH", 0xFF, 0xE1, len(exif) + 2) + exif + data[2:]


WORST: dict[str, tuple[str, Callable[[], bytes]]] = {
    "PNG RGB flat, interlaced": (
        "a.png",
        lambda: png(7_100, 7_000, colour=2, row_filter=4, interlaced=True),
    ),
    "PNG RGBA flat, Paeth": ("a.png", lambda: png(_WIDTH, _HEIGHT, colour=6, row_filter=4)),
    "PNG RGBA noise, Paeth": (
        "a.png",
        lambda: png(6_400, 5_800, colour=6, row_filter=4, noise_period=1021, interlaced=True),
    ),
    "PNG RGB noise, Paeth": (
        "a.png",
        lambda: png(7_100, 7_000, colour=2, row_filter=4, noise_period=1021, interlaced=True),
    ),
    "PNG grey and alpha, 16 bits": (
        "a.png",
        lambda: png(_WIDTH, _HEIGHT, colour=4, depth=16, row_filter=4),
    ),
    "JPEG baseline 89 Mpx, turned": (
        "a.jpg",
        lambda: _turned(encode(_tiled(_WIDTH, _HEIGHT, "RGB", 2, 20), "JPEG", quality=20), 6),
    ),
    "JPEG progressive CMYK": ("a.jpg", lambda: _progressive("CMYK", 7_000, 3_900, 18)),
    "JPEG progressive RGB": ("a.jpg", lambda: _progressive("RGB", 8_000, 5_000, 12)),
    "JPEG progressive grey": ("a.jpg", lambda: _progressive("L", 8_000, 5_000, 12)),
    "GIF 89 Mpx": (
        "a.gif",
        lambda: encode(_tiled(_WIDTH, _HEIGHT, "P", 8, 10), "GIF", interlace=1),
    ),
    "WebP lossless 89 Mpx": (
        "a.webp",
        lambda: encode(
            _tiled(_WIDTH, _HEIGHT, "RGBA", 12, 1), "WEBP", lossless=True, quality=0, method=0
        ),
    ),
    "WebP lossy 89 Mpx": (
        "a.webp",
        lambda: encode(_tiled(_WIDTH, _HEIGHT, "RGB", 4, 20), "WEBP", quality=10, method=0),
    ),
}
