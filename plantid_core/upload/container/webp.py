"""WebP (RFC 9649): a RIFF list of chunks, some of which are frames that hold chunks themselves."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.upload.container.exif import read_ifd0
from plantid_core.upload.container.header import incomplete
from plantid_core.upload.container.icc import gamut_of_profile

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gathering

_CHUNK = struct.Struct("<4sI")
_PICTURES = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_METADATA = {b"EXIF": "EXIF", b"XMP ": "XMP", b"ICCP": "colour profile"}
_ALPHA_FLAG = 0x10
_FRAME_HEADER_BYTES = 16


@dataclass(slots=True)
class _Picture:
    """One still picture: where its chunks lie, and its size."""

    width: int = 0
    height: int = 0
    parts: tuple[tuple[int, int] | bytes, ...] = ()
    has_alpha: bool = False


def walk(data: bytes, gathering: Gathering) -> int:
    """Gather a WebP's facts; return the offset after its RIFF list."""
    size: int = struct.unpack_from("<I", data, 4)[0]
    if 8 + size > len(data):
        incomplete("it is shorter than it says")
    still = _Picture()
    first = _chunks(data, 12, 8 + size, gathering, still)
    picture = first or still
    if not picture.width:
        incomplete("it holds no picture data")
    if first is None and (picture.width, picture.height) != (gathering.width, gathering.height):
        incomplete("its picture and its canvas differ in size")
    gathering.frames = gathering.frames or 1
    _rebuild(picture, gathering)
    return min(8 + size + (size & 1), len(data))


def _rebuild(picture: _Picture, gathering: Gathering) -> None:
    """Give the decoder one still picture: without animation, profile or metadata to parse."""
    size = 4 + sum(
        len(part) if isinstance(part, bytes) else part[1] - part[0] for part in picture.parts
    )
    canvas = b""
    if picture.has_alpha:
        sides = (picture.width - 1, picture.height - 1)
        body = struct.pack("<I", _ALPHA_FLAG) + b"".join(
            side.to_bytes(3, "little") for side in sides
        )
        canvas = b"VP8X" + struct.pack("<I", len(body)) + body
        size += len(canvas)
    gathering.parts.append(b"RIFF" + struct.pack("<I", size) + b"WEBP" + canvas)
    gathering.parts.extend(picture.parts)


def _chunks(  # noqa: C901 - one loop, since a flood goes through it
    data: bytes, at: int, end: int, gathering: Gathering, into: _Picture
) -> _Picture | None:
    """Walk a list of chunks; return the first frame of an animation, if there is one."""
    first, most, others = None, gathering.policy.max_segments, 0
    steps = gathering.segments
    while at + 8 <= end:
        kind, length = _CHUNK.unpack_from(data, at)
        begin, after = at + 8, at + 8 + length
        if after > end:
            incomplete("a chunk runs past the end of the file")
        steps += 1
        if steps > most:
            gathering.too_many_segments(steps)
        if kind in _PICTURES:
            # Only the first picture is used.
            if not into.width:
                _bitstream(kind, data, at, after, gathering, into)
        elif kind == b"ANMF":
            gathering.segments = steps
            frame = _frame(data, begin, after, gathering)
            steps = gathering.segments
            if first is not None:
                gathering.carries("more pictures", length)
            first = first or frame
        elif kind == b"VP8X":
            gathering.extent(1 + _uint24(data, begin + 4), 1 + _uint24(data, begin + 7))
        elif kind in _METADATA:
            _metadata(kind, data, begin, after, gathering)
        elif kind != b"ANIM":
            others += length
        at = after + (length & 1)
    gathering.segments = steps
    if others:
        gathering.carries("other chunks", others)
    return first


def _bitstream(
    kind: bytes, data: bytes, at: int, after: int, gathering: Gathering, into: _Picture
) -> None:
    chunk = ((at, after), bytes(after - at & 1))
    if kind == b"ALPH":
        into.parts, into.has_alpha = chunk, True
        return
    begin = at + 8
    if kind == b"VP8 ":
        if data[begin + 3 : begin + 6] != b"\x9d\x01\x2a":
            incomplete("its picture data has no start code")
        width, height = struct.unpack_from("<HH", data, begin + 6)
        into.width, into.height = width & 0x3FFF, height & 0x3FFF
        into.parts = (*into.parts, *chunk)
    else:
        if data[begin] != 0x2F:  # noqa: PLR2004 - RFC 9649's signature byte
            incomplete("its picture data has no signature")
        (bits,) = struct.unpack_from("<I", data, begin + 1)
        into.width, into.height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        into.parts, into.has_alpha = chunk, False
    gathering.extent(into.width, into.height)


def _frame(data: bytes, begin: int, after: int, gathering: Gathering) -> _Picture:
    if after - begin < _FRAME_HEADER_BYTES:
        incomplete("a frame is shorter than its own header")
    gathering.frame()
    canvas = (gathering.width, gathering.height)
    x, y = 2 * _uint24(data, begin), 2 * _uint24(data, begin + 3)
    width, height = 1 + _uint24(data, begin + 6), 1 + _uint24(data, begin + 9)
    gathering.extent(x + width, y + height)
    if canvas != (gathering.width, gathering.height):
        incomplete("a frame reaches beyond the canvas")
    picture = _Picture()
    _chunks(data, begin + _FRAME_HEADER_BYTES, after, gathering, picture)
    if (picture.width, picture.height) != (width, height):
        incomplete("a frame and its picture differ in size")
    if gathering.frames == 1:
        gathering.offset = (x, y)
    return picture


def _metadata(kind: bytes, data: bytes, begin: int, after: int, gathering: Gathering) -> None:
    name = _METADATA[kind]
    # Each may come once (2.7.1.4, 2.7.1.5); of a flood, the first is read.
    first = name not in gathering.sizes
    gathering.carries(name, after - begin)
    if first and kind == b"EXIF":
        block = memoryview(data)[begin:after]
        skip = 6 if bytes(block[:6]) == b"Exif\0\0" else 0
        exif = read_ifd0(block[skip:], gathering.policy.max_exif_entries)
        gathering.orientation = exif.orientation
        if exif.has_place:
            gathering.carries("place", exif.place_bytes)
    elif first and kind == b"ICCP":
        most = gathering.policy.max_icc_bytes
        gathering.gamut = gamut_of_profile(data[begin : min(after, begin + most)])


def _uint24(data: bytes, at: int) -> int:
    low, high = struct.unpack_from("<HB", data, at)
    return int(low) | int(high) << 16
