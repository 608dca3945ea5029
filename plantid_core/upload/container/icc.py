"""Which wide colour space a picture is in, told from its profile's primaries (ICC.1:2022, 7.2, 9.2).

Only the three colorant tags are read. They are compared with those of the few spaces that cameras
and phones write, so that nothing of an unknown profile ever reaches a conversion.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plantid_core.upload.container.header import Gamut

# X, Y, Z of red, green and blue under D50, as the profiles of Apple, Adobe and the ICC hold them.
COLORANTS: dict[Gamut, tuple[float, ...]] = {
    "display-p3": (
        *(0.51512, 0.24120, -0.00105),
        *(0.29198, 0.69225, 0.04189),
        *(0.15710, 0.06657, 0.78407),
    ),
    "adobe-rgb": (
        *(0.60974, 0.31111, 0.01947),
        *(0.20528, 0.62567, 0.06087),
        *(0.14919, 0.06322, 0.74457),
    ),
    "prophoto": (
        *(0.79767, 0.28804, 0.00000),
        *(0.13519, 0.71188, 0.00000),
        *(0.03134, 0.00009, 0.82491),
    ),
    "rec2020": (
        *(0.67346, 0.27903, -0.00193),
        *(0.16566, 0.67534, 0.02998),
        *(0.12505, 0.04561, 0.79684),
    ),
}
# ITU-T H.273, table 2, as PNG's cICP chunk numbers them; each with the sRGB-like transfer alone.
_PRIMARIES: dict[tuple[int, int], Gamut] = {(12, 13): "display-p3"}
_TOLERANCE = 0.004
_HEADER_BYTES = 128
_MOST_TAGS = 64
_FIXED = 65536.0


def gamut_of_profile(profile: bytes) -> Gamut | None:
    """Return the known wide space that has this profile's primaries; None for all others."""
    try:
        found = _colorants(profile)
    except struct.error:
        return None
    for name, colorants in COLORANTS.items():
        if all(
            abs(mine - known) < _TOLERANCE for mine, known in zip(found, colorants, strict=False)
        ):
            return name if found else None
    return None


def gamut_of_compressed(body: bytes, most_bytes: int) -> Gamut | None:
    """Return the space of a PNG's iCCP chunk, of which ``most_bytes`` are inflated at most."""
    name, _, rest = body[:80].partition(b"\0")
    if not rest:
        return None
    try:
        profile = zlib.decompressobj().decompress(body[len(name) + 2 :], most_bytes)
    except zlib.error:
        return None
    return gamut_of_profile(profile)


def gamut_of_code_points(body: bytes) -> Gamut | None:
    """Return the space of a PNG's cICP chunk."""
    return _PRIMARIES.get((body[0], body[1])) if len(body) == 4 else None  # noqa: PLR2004 - its size


def _colorants(profile: bytes) -> tuple[float, ...]:
    if profile[16:20] != b"RGB " or profile[36:40] != b"acsp":
        return ()
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    places = {}
    for index in range(min(count, _MOST_TAGS)):
        tag, at = struct.unpack_from(">4sI", profile, _HEADER_BYTES + 4 + 12 * index)
        places[tag] = at
    values: list[float] = []
    for tag in (b"rXYZ", b"gXYZ", b"bXYZ"):
        at = places.get(tag)
        if at is None or profile[at : at + 4] != b"XYZ ":
            return ()
        values += [value / _FIXED for value in struct.unpack_from(">3i", profile, at + 8)]
    return tuple(values)
