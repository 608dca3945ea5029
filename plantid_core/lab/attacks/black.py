"""Black pictures of any size, whose deflate stream is put together instead of computed."""

from __future__ import annotations

import struct
import zlib

from plantid_core.lab.pictures import chunk

_PIECE = 4_000_000
_ADLER = 65_521
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
# First column, first row, step across and step down of Adam7's passes (PNG, third edition, 8.1).
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_WHOLE = ((0, 0, 1, 1),)


def deflated_zeros(size: int) -> bytes:
    """Return a zlib stream of ``size`` zero bytes, in a time that hardly depends on ``size``."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    # A full flush ends at a whole byte and forgets what was before: such a piece may be repeated.
    piece = packer.compress(bytes(_PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(size % _PIECE)) + packer.flush()
    # Adler-32 of zeros (RFC 1950): the sum of bytes stays 1, the sum of sums grows by 1 a byte.
    checksum = (size % _ADLER) << 16 | 1
    return b"\x78\xda" + piece * (size // _PIECE) + rest + struct.pack(">I", checksum)


def black_png(
    width: int, height: int, *, colour: int = 2, depth: int = 8, interlaced: bool = False
) -> bytes:
    """Return a whole PNG of zeros, ``depth`` bits a channel; its ``colour`` is PNG's colour type."""
    size = 0
    for left, top, across, down in _ADAM7 if interlaced else _WHOLE:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            size += rows * (1 + (columns * _CHANNELS[colour] * depth + 7) // 8)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", deflated_zeros(size)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data
