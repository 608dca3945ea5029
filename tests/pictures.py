"""Pictures with hard-to-get properties, written by hand."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return one PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(  # noqa: PLR0913 - one argument a property
    width: int,
    height: int,
    *,
    colour: int = 2,
    depth: int = 8,
    row_filter: int = 0,
    noise_period: int = 0,
    interlaced: bool = False,
) -> bytes:
    """Return a PNG of one repeated row; noise with the Paeth filter (4) is the slowest to decode."""
    rng = np.random.default_rng(1)
    packer, parts = zlib.compressobj(1), []
    for columns, rows in _passes(width, height) if interlaced else [(width, height)]:
        size = (columns * _CHANNELS[colour] * depth + 7) // 8
        row = bytes(size)
        if noise_period:
            noise = rng.integers(0, 256, noise_period, dtype=np.uint8).tobytes()
            row = (noise * (size // noise_period + 1))[:size]
        for _ in range(rows if columns else 0):
            parts.append(packer.compress(bytes([row_filter]) + row))
    parts.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", b"".join(parts)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _passes(width: int, height: int) -> list[tuple[int, int]]:
    """Return columns and rows of Adam7's seven passes."""
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    return [
        (-(-(width - x) // across), -(-(height - y) // down))
        for x, y, across, down in (*starts, (0, 1, 1, 2))
    ]
