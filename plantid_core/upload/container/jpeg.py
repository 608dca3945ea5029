"""JPEG (ITU-T T.81, Annex B): a list of marker segments, with entropy data after each SOS."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from plantid_core.upload.container.header import incomplete
from plantid_core.upload.container.tiff import orientation_and_gps

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gathering

_SOI, _EOI, _SOS, _COM, _APP0, _APP1, _APP2, _APP13, _APP14, _APP15 = (
    0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF,
)  # fmt: skip
_NOT_FRAMES = {0xC4, 0xC8, 0xCC}  # DHT, JPG, DAC lie among the SOF codes
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
# In entropy data FF is followed by 00 (stuffing), FF (fill) or D0-D7 (restart); all else is a marker.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def walk(view: memoryview, gathering: Gathering) -> int:
    """Gather a JPEG's facts; return the offset after its EOI."""
    at = 2
    while True:
        found = _MARKER.search(view, at) if gathering.scans else _segment_start(view, at)
        if found is None:
            incomplete("it has no end marker")
        at = found if isinstance(found, int) else found.start()
        code = view[at + 1]
        at += 2
        if code == _EOI:
            break
        gathering.segment()
        if code == 0x01:  # TEM stands alone
            continue
        (length,) = struct.unpack_from(">H", view, at)
        if length < 2 or at + length > len(view):  # noqa: PLR2004 - the length counts itself
            incomplete("a segment runs past the end of the file")
        _segment(code, view[at + 2 : at + length], gathering)
        if code == _COM or (_APP1 <= code <= _APP15 and code != _APP14):
            gathering.drop(at - 2, at + length)
        at += length
    if not gathering.scans:
        incomplete("it holds no picture data")
    gathering.frame()
    return at


def _segment_start(view: memoryview, at: int) -> int:
    if view[at] != 0xFF:  # noqa: PLR2004 - the marker prefix
        incomplete("something else stands where a segment should begin")
    while view[at + 1] == 0xFF:  # noqa: PLR2004 - fill bytes
        at += 1
    return at


def _segment(code: int, body: memoryview, gathering: Gathering) -> None:
    if 0xC0 <= code <= 0xCF and code not in _NOT_FRAMES:  # noqa: PLR2004 - SOF0…SOF15
        height, width = struct.unpack_from(">HH", body, 1)
        gathering.progressive = gathering.progressive or code in _PROGRESSIVE
        gathering.extent(width, height)
    elif code == _SOS:
        if not gathering.width:
            incomplete("picture data comes before its size")
        gathering.scan()
    elif code == _COM:
        gathering.carries("comment")
    elif _APP1 <= code <= _APP15 and code != _APP14:
        _application(code, body, gathering)


def _application(code: int, body: memoryview, gathering: Gathering) -> None:
    if code == _APP1 and bytes(body[:6]) == b"Exif\0\0":
        gathering.orientation, gps = orientation_and_gps(bytes(body[6:]))
        gathering.carries("EXIF")
        if gps:
            gathering.carries("place")
    elif code == _APP1:
        gathering.carries("XMP")
    elif code == _APP2 and bytes(body[:11]) == b"ICC_PROFILE":
        gathering.carries("colour profile")
    elif code == _APP13:
        gathering.carries("IPTC")
    else:
        gathering.carries("application data")
