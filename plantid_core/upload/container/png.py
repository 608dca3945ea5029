"""PNG (W3C PNG, third edition): chunks of length, type, data and checksum."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from plantid_core.upload.container.header import incomplete
from plantid_core.upload.container.tiff import orientation_and_gps

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gathering

_DECODED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_METADATA = {
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"tIME": "time",
    b"iCCP": "colour profile",
}


def walk(view: memoryview, gathering: Gathering) -> int:
    """Gather a PNG's facts; return the offset after its IEND."""
    at, pixels = 8, False
    while True:
        length, kind = struct.unpack_from(">I4s", view, at)
        body = view[at + 8 : at + 8 + length]
        at += 12 + int(length)
        if at > len(view):
            incomplete("a chunk runs past the end of the file")
        gathering.segment()
        if kind == b"IEND":
            break
        if not gathering.width and kind != b"IHDR":
            incomplete("its size does not come first")
        pixels = pixels or kind == b"IDAT"
        if kind not in _DECODED:
            gathering.drop(at - 12 - int(length), at)
        _chunk(kind, body, gathering)
    if not pixels:
        incomplete("it holds no picture data")
    gathering.frames = gathering.frames or 1
    return at


def _chunk(kind: bytes, body: memoryview, gathering: Gathering) -> None:
    if kind == b"IHDR":
        gathering.extent(*struct.unpack_from(">II", body, 0))
    elif kind == b"acTL":
        gathering.promise_frames(*struct.unpack_from(">I", body, 0))
    elif kind == b"fcTL":
        gathering.frame()
        gathering.extent(*struct.unpack_from(">II", body, 4))
    elif kind == b"eXIf":
        gathering.orientation, gps = orientation_and_gps(bytes(body))
        gathering.carries("EXIF")
        if gps:
            gathering.carries("place")
    elif kind in _METADATA:
        gathering.carries(_METADATA[kind])
