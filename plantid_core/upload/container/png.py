"""PNG (W3C PNG, third edition): chunks of length, type, data and checksum."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from plantid_core.upload.container.exif import read_ifd0
from plantid_core.upload.container.header import incomplete
from plantid_core.upload.container.icc import gamut_of_code_points, gamut_of_compressed

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gathering

_DECODED = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_METADATA = {
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"tIME": "time",
    b"eXIf": "EXIF",
    b"iCCP": "colour profile",
    b"cICP": "colour profile",
    b"fdAT": "more pictures",
}
_FRAMES = frozenset({b"acTL", b"fcTL"})
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_CHUNK = struct.Struct(">I4s")


def walk(data: bytes, gathering: Gathering) -> int:  # noqa: C901, PLR0912 - one loop, since a flood goes through it
    """Gather a PNG's facts; return the offset after its IEND."""
    most, steps, at, raw, packed, others = gathering.policy.max_segments, 0, 8, 0, 0, 0
    length: int
    told: dict[bytes, int] = {}
    kept_from, kept_to = 0, 8
    while True:
        length, kind = _CHUNK.unpack_from(data, at)
        end = at + 12 + length
        if end > len(data):
            incomplete("a chunk runs past the end of the file")
        steps += 1
        if steps > most:
            gathering.too_many_segments(steps)
        if (kind == b"IHDR") != (at == 8):  # noqa: PLR2004 - the signature's length
            incomplete("its size does not come first, or comes twice")
        if kind in _DECODED:
            if at != kept_to:
                gathering.keep(kept_from, kept_to)
                kept_from = at
            kept_to = end
            if kind == b"IDAT":
                packed += length
            elif kind == b"IEND":
                break
            elif kind == b"IHDR":
                raw = _size(data, at + 8, length, gathering)
        elif kind in told:
            told[kind] += length
        elif kind in _METADATA:
            # Each may come once (12.1, table 7); of a flood, the first is read.
            told[kind] = length
            _profile_or_exif(kind, data[at + 8 : end - 4], gathering)
        elif kind in _FRAMES:
            _frames(kind, data, at + 8, gathering)
        else:
            others += length
        at = end
    gathering.segments = steps
    gathering.keep(kept_from, kept_to)
    for kind, size in told.items():
        gathering.carries(_METADATA[kind], size)
    if others:
        gathering.carries("other chunks", others)
    if not packed:
        incomplete("it holds no picture data")
    gathering.unfolds(raw, packed, interlaced=data[28] == 1)
    gathering.frames = gathering.frames or 1
    return end


def _size(data: bytes, begin: int, length: int, gathering: Gathering) -> int:
    """Take the size; return how many bytes the picture's rows have."""
    if length != 13:  # noqa: PLR2004 - IHDR's size
        incomplete("its first chunk has the wrong size")
    width, height, depth, colour = map(int, struct.unpack_from(">IIBB", data, begin))
    gathering.extent(width, height)
    row = (width * _CHANNELS.get(colour, 1) * depth + 7) // 8
    return (row + 1) * height


def _frames(kind: bytes, data: bytes, begin: int, gathering: Gathering) -> None:
    if kind == b"acTL":
        gathering.promise_frames(*struct.unpack_from(">I", data, begin))
        return
    width, height, x, y = struct.unpack_from(">4I", data, begin + 4)
    gathering.frame()
    gathering.extent(x + width, y + height)


def _profile_or_exif(kind: bytes, body: bytes, gathering: Gathering) -> None:
    if kind == b"eXIf":
        exif = read_ifd0(memoryview(body), gathering.policy.max_exif_entries)
        gathering.orientation = exif.orientation
        if exif.has_place:
            gathering.carries("place", exif.place_bytes)
    elif kind == b"iCCP":
        gathering.gamut = gamut_of_compressed(body, gathering.policy.max_icc_bytes)
    elif kind == b"cICP":
        gathering.gamut = gamut_of_code_points(body)
