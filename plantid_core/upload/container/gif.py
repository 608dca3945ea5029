"""GIF (CompuServe GIF89a): a logical screen, then blocks of sub-blocks up to a trailer."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from plantid_core.upload.container.header import incomplete

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gathering

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_COMMENT, _APPLICATION = 0xFE, 0xFF


def walk(view: memoryview, gathering: Gathering) -> int:
    """Gather a GIF's facts; return the offset after its trailer."""
    width, height, flags = struct.unpack_from("<HHB", view, 6)
    gathering.extent(width, height)
    at = 13 + _table(flags)
    while (kind := view[at]) != _TRAILER:
        gathering.segment()
        if kind == _IMAGE:
            at = _image(view, at, gathering)
        elif kind == _EXTENSION:
            label, begin = view[at + 1], at
            at = _sub_blocks(view, at + 2, gathering)
            if label in {_COMMENT, _APPLICATION}:
                gathering.carries("comment" if label == _COMMENT else "application data")
                gathering.drop(begin, at)
        else:
            incomplete("something else stands where a block should begin")
    return at + 1


def _table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _image(view: memoryview, at: int, gathering: Gathering) -> int:
    left, top, width, height, flags = struct.unpack_from("<HHHHB", view, at + 1)
    gathering.frame()
    if not width or not height:
        incomplete("a frame has no area")
    gathering.extent(left + width, top + height)
    return _sub_blocks(view, at + 11 + _table(flags), gathering)


def _sub_blocks(view: memoryview, at: int, gathering: Gathering) -> int:
    while size := view[at]:
        gathering.segment()
        at += 1 + size
    return at + 1
