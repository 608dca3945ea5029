"""GIF (CompuServe GIF89a): a logical screen, then blocks of sub-blocks up to a trailer."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from plantid_core.upload.container.header import incomplete

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gathering

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_LABELS = {0xFE: "comment", 0xFF: "application data", 0x01: "text"}
_GRAPHIC_CONTROL = 0xF9


def walk(data: bytes, gathering: Gathering) -> int:
    """Gather a GIF's facts; return the offset after its trailer."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    gathering.extent(width, height)
    at = 13 + _table(flags)
    gathering.keep(0, at)
    control: tuple[int, int] | None = None
    told: dict[int, int] = {}
    while (kind := data[at]) != _TRAILER:
        begin, label = at, data[at + 1]
        if kind == _IMAGE:
            at = _image(data, at, gathering)
            if gathering.frames > 1:
                gathering.carries("more pictures", at - begin)
                continue
            if control:
                gathering.keep(*control)
            gathering.keep(begin, at)
        elif kind == _EXTENSION:
            at = _sub_blocks(data, at + 2, gathering)
            if label == _GRAPHIC_CONTROL:
                control = (begin, at)
            else:
                told[label] = told.get(label, 0) + at - begin
        else:
            incomplete("something else stands where a block should begin")
    for label, size in told.items():
        gathering.carries(_LABELS.get(label, "application data"), size)
    gathering.parts.append(b";")
    return at + 1


def _table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _image(data: bytes, at: int, gathering: Gathering) -> int:
    left, top, width, height, flags = struct.unpack_from("<HHHHB", data, at + 1)
    gathering.frame()
    if not width or not height:
        incomplete("a frame has no area")
    gathering.extent(left + width, top + height)
    return _sub_blocks(data, at + 11 + _table(flags), gathering)


def _sub_blocks(data: bytes, at: int, gathering: Gathering) -> int:
    steps, most = gathering.segments + 1, gathering.policy.max_segments
    while size := data[at]:
        steps += 1
        if steps > most:
            break
        at += 1 + size
    if steps > most:
        gathering.too_many_segments(steps)
    gathering.segments = steps
    return at + 1
