"""The orientation tag of an EXIF block, read with bounded steps (TIFF 6.0, IFD0 only)."""

from __future__ import annotations

import struct

_ORIENTATION = 0x0112
_GPS = 0x8825
_SHORT = 3
_MOST_ENTRIES = 512


def orientation_and_gps(block: bytes) -> tuple[int, bool]:
    """Return EXIF's orientation (1…8; 1 where it is absent or nonsense) and whether a place is told."""
    try:
        return _read_ifd0(block)
    except struct.error:
        return 1, False


def _read_ifd0(block: bytes) -> tuple[int, bool]:
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return 1, False
    (offset,) = struct.unpack_from(f"{order}I", block, 4)
    (count,) = struct.unpack_from(f"{order}H", block, offset)
    orientation, gps = 1, False
    for index in range(min(count, _MOST_ENTRIES)):
        entry = offset + 2 + 12 * index
        tag, kind = struct.unpack_from(f"{order}HH", block, entry)
        gps = gps or tag == _GPS
        if tag == _ORIENTATION and kind == _SHORT:
            (value,) = struct.unpack_from(f"{order}H", block, entry + 8)
            orientation = value if 1 <= value <= 8 else 1  # noqa: PLR2004 - EXIF's own range
    return orientation, gps
