"""WebP (RFC 9649): a RIFF list of chunks."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from plantid_core.upload.container.header import incomplete
from plantid_core.upload.container.tiff import orientation_and_gps

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gathering


def walk(view: memoryview, gathering: Gathering) -> int:
    """Gather a WebP's facts; return the offset after its RIFF list."""
    (size,) = struct.unpack_from("<I", view, 4)
    end = 8 + int(size) + (int(size) & 1)
    if 8 + size > len(view):
        incomplete("it is shorter than it says")
    _chunks(view[12 : 8 + size], gathering)
    gathering.frames = gathering.frames or 1
    return min(end, len(view))


def _chunks(view: memoryview, gathering: Gathering) -> None:
    at, bitstreams = 0, 0
    while at + 8 <= len(view):
        kind, length = struct.unpack_from("<4sI", view, at)
        body = view[at + 8 : at + 8 + length]
        if len(body) != length:
            incomplete("a chunk runs past the end of the file")
        gathering.segment()
        _chunk(bytes(kind), body, gathering)
        bitstreams += kind in {b"VP8 ", b"VP8L", b"ANMF"}
        at += 8 + length + (length & 1)
    if not bitstreams:
        incomplete("it holds no picture data")


def _chunk(kind: bytes, body: memoryview, gathering: Gathering) -> None:
    if kind == b"VP8X":
        gathering.extent(1 + _uint24(body, 4), 1 + _uint24(body, 7))
    elif kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 6)
        gathering.extent(width & 0x3FFF, height & 0x3FFF)
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 1)
        gathering.extent(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    elif kind == b"ANMF":
        gathering.frame()
        x, y = 2 * _uint24(body, 0), 2 * _uint24(body, 3)
        gathering.extent(x + 1 + _uint24(body, 6), y + 1 + _uint24(body, 9))
        _chunks(body[16:], gathering)
    elif kind == b"EXIF":
        block = bytes(body)
        gathering.orientation, gps = orientation_and_gps(block.removeprefix(b"Exif\0\0"))
        gathering.carries("EXIF")
        if gps:
            gathering.carries("place")
    elif kind in {b"XMP ", b"ICCP"}:
        gathering.carries("XMP" if kind == b"XMP " else "colour profile")


def _uint24(body: memoryview, at: int) -> int:
    low, high = struct.unpack_from("<HB", body, at)
    return int(low) | int(high) << 16
