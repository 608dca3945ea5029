"""JPEG (ITU-T T.81, Annex B): a list of marker segments, with entropy data after each SOS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from plantid_core.upload.container.exif import read_ifd0
from plantid_core.upload.container.header import incomplete
from plantid_core.upload.container.icc import gamut_of_profile

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gathering

_PREFIX = 0xFF
_TEM, _SOI, _EOI, _SOS, _COM = 0x01, 0xD8, 0xD9, 0xDA, 0xFE
_APP0, _APP1, _APP2, _APP13, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # DHT, JPG, DAC lie among the SOF codes
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_NAMES = {_APP1: "XMP", _APP13: "IPTC"}
_APPLICATIONS = frozenset(range(_APP0, _APP15 + 1))
_ALONE = frozenset({0x00, _TEM, *range(0xD0, 0xD8), _EOI})  # stuffing, TEM, RSTn
_TELLING = _FRAMES | {_SOI, _SOS}
# Neither JFIF's segment nor Adobe's nor EXIF's is shorter.
_SHORTEST = 14
# Honest files have a few dozen (profiles and extended XMP come in parts); the rest is dropped unread.
_MOST_LOOKED_AT = 500
_IN_ENTROPY = frozenset({0x00, *range(0xD0, 0xD8)})
# In entropy data FF is followed by 00 (stuffing) or D0-D7 (restart); all else is a marker, or fill.
_EVENT = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_FILL = re.compile(rb"\xff+")


def walk(data: bytes, gathering: Gathering) -> int:  # noqa: C901, PLR0912 - one loop, since a flood goes through it
    """Gather a JPEG's facts; return the offset after its EOI."""
    most, size, steps, at, kept_to = gathering.policy.max_segments, len(data), 0, 2, 0
    looked = comments = opaque = 0
    in_scan = False
    while True:
        if data[at] != _PREFIX or (in_scan and data[at + 1] in _IN_ENTROPY):
            at = _behind_entropy(data, at, in_scan=in_scan)
        begin, code = at, data[at + 1]
        if code == _PREFIX:
            steps += 1
            at = _behind_fill(data, at)
            code = data[at + 1]
        steps += 1
        if steps > most:
            gathering.too_many_segments(steps)
        if code in _ALONE:
            if code == _EOI:
                break
            at += 2
            continue
        length = data[at + 2] << 8 | data[at + 3]
        end = at + 2 + length
        if length < 2 or end > size:  # noqa: PLR2004 - it counts itself
            incomplete("a segment runs past the end of the file")
        if code == _COM:
            comments += length - 2
        elif code not in _APPLICATIONS:
            if code in _TELLING:
                _picture(code, data, at + 4, gathering)
                in_scan = in_scan or code == _SOS
            at = end
            continue
        elif length < _SHORTEST or looked >= _MOST_LOOKED_AT:
            opaque += length - 2
        else:
            looked += 1
            if _needed(code, data, at + 4, end, gathering):
                at = end
                continue
        # Its fill bytes go with it: left behind, they would make a marker of what follows.
        if begin > kept_to:
            gathering.keep(kept_to, begin)
        at = kept_to = end
    gathering.segments = steps
    for kind, dropped in (("comment", comments), ("application data", opaque)):
        if dropped:
            gathering.carries(kind, dropped)
    if not in_scan:
        incomplete("it holds no picture data")
    gathering.frame()
    gathering.keep(kept_to, at + 2)
    return at + 2


def _behind_entropy(data: bytes, at: int, *, in_scan: bool) -> int:
    if not in_scan:
        incomplete("something else stands where a segment should begin")
    event = _EVENT.search(data, at)
    if event is None:
        incomplete("it has no end marker")
    return event.start()


def _behind_fill(data: bytes, at: int) -> int:
    for following in range(at + 1, at + 9):
        if data[following + 1] != _PREFIX:
            return following
    # A long run is passed in one step: byte by byte, 10 MB of them take a second.
    fill = _FILL.match(data, at)
    return fill.end() - 1 if fill else at


def _picture(code: int, data: bytes, begin: int, gathering: Gathering) -> None:
    if code in _FRAMES:
        if gathering.width:
            incomplete("its size comes twice")
        height = data[begin + 1] << 8 | data[begin + 2]
        width = data[begin + 3] << 8 | data[begin + 4]
        gathering.progressive = gathering.progressive or code in _PROGRESSIVE
        gathering.extent(width, height)
    elif code == _SOS:
        if not gathering.width:
            incomplete("picture data comes before its size")
        gathering.scan()
    elif code == _SOI:
        incomplete("a second picture begins inside the first")


def _needed(code: int, data: bytes, begin: int, end: int, gathering: Gathering) -> bool:
    """Tell whether a decoder needs an APPn segment for the colours; note what it holds."""
    if code == _APP0 and data[begin : begin + 5] == b"JFIF\0":
        return True
    if code == _APP14 and data[begin : begin + 5] == b"Adobe":
        return True
    _embedded(code, data, begin, end, gathering)
    return False


def _embedded(code: int, data: bytes, begin: int, end: int, gathering: Gathering) -> None:
    kind, size = "application data", end - begin
    if code == _APP1 and data[begin : begin + 6] == b"Exif\0\0":
        exif = read_ifd0(memoryview(data)[begin + 6 : end], gathering.policy.max_exif_entries)
        gathering.orientation = exif.orientation
        if exif.has_place:
            gathering.carries("place", exif.place_bytes)
        kind = "EXIF"
    elif code == _APP2 and data[begin : begin + 12] == b"ICC_PROFILE\0":
        # Profiles of several segments are longer than any whose primaries we look for.
        if data[begin + 12 : begin + 14] == b"\x01\x01":
            gathering.gamut = gamut_of_profile(data[begin + 14 : end])
        kind = "colour profile"
    elif code == _APP2 and data[begin : begin + 4] == b"MPF\0":
        kind = "more pictures"
    else:
        kind = _NAMES.get(code, kind)
    gathering.carries(kind, size)
