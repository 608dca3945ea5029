"""EXIF's first directory, read with bounded steps (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ORIENTATION = 0x0112
_GPS = 0x8825
_SHORT = 3
_ENTRY_BYTES = 12


@dataclass(frozen=True, slots=True)
class Ifd0:
    """What a walk wants to know: EXIF's orientation (1…8), and whether the place is told."""

    orientation: int = 1
    has_place: bool = False
    place_bytes: int = 0


def read_ifd0(block: memoryview, most_entries: int) -> Ifd0:
    """Return what the block's first directory tells; the defaults where it is absent or nonsense."""
    try:
        return _read(block, most_entries)
    except struct.error:
        return Ifd0()


def _read(block: memoryview, most_entries: int) -> Ifd0:
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if order is None:
        return Ifd0()
    (offset,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, offset)
    orientation, places = 1, 0
    for index in range(min(count, most_entries)):
        entry = offset + 2 + _ENTRY_BYTES * index
        tag, kind = struct.unpack_from(f"{order}HH", block, entry)
        if tag == _GPS:
            (at,) = struct.unpack_from(f"{order}I", block, entry + 8)
            (places,) = struct.unpack_from(f"{order}H", block, at)
        elif tag == _ORIENTATION and kind == _SHORT:
            (value,) = struct.unpack_from(f"{order}H", block, entry + 8)
            orientation = value if 1 <= value <= 8 else 1  # noqa: PLR2004 - EXIF's own range
    return Ifd0(orientation, places > 0, places * _ENTRY_BYTES)
