"""From a wide colour space to sRGB, by a table of our own making.

A photo's profile is dropped unread by any colour engine; where the header walk recognised its
primaries, the pixels are converted with this table, which no byte of the file can influence.
Curves: IEC 61966-2-1 (sRGB, and Display P3's), Adobe RGB (1998) section 4.3.4.2, ROMM RGB (ISO
22028-2), ITU-R BT.2020 table 4; matrices through the profile connection space of ICC.1:2022.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from PIL import Image, ImageFilter

from plantid_core.upload.container.icc import COLORANTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.upload.container import Gamut

    Triple = tuple[float, float, float]

_STEPS = 33
_STRIP_ROWS = 512
# XYZ under D50 to linear sRGB: the inverse of the sRGB profile's colorants.
_XYZ_TO_SRGB = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)


def to_srgb(picture: Image.Image, gamut: Gamut | None) -> Image.Image:
    """Return the RGB picture with its colours in sRGB, those outside it clipped; in place."""
    if gamut is None:
        return picture
    table = _table(gamut)
    for top in range(0, picture.height, _STRIP_ROWS):
        box = (0, top, picture.width, min(picture.height, top + _STRIP_ROWS))
        picture.paste(picture.crop(box).filter(table), box)
    return picture


@functools.cache
def _table(gamut: Gamut) -> ImageFilter.Color3DLUT:
    colorants = COLORANTS[gamut]
    red, green, blue = colorants[0:3], colorants[3:6], colorants[6:9]
    curve = _CURVES[gamut]
    light = [curve(step / (_STEPS - 1)) for step in range(_STEPS)]

    def convert(r: float, g: float, b: float) -> Triple:
        linear = [light[round(value * (_STEPS - 1))] for value in (r, g, b)]
        xyz = [
            linear[0] * red[axis] + linear[1] * green[axis] + linear[2] * blue[axis]
            for axis in range(3)
        ]
        x, y, z = (sum(row[axis] * xyz[axis] for axis in range(3)) for row in _XYZ_TO_SRGB)
        return _encoded(x), _encoded(y), _encoded(z)

    return ImageFilter.Color3DLUT.generate(_STEPS, convert)


def _encoded(light: float) -> float:
    light = min(max(light, 0.0), 1.0)
    if light <= 0.0031308:  # noqa: PLR2004 - IEC 61966-2-1
        return 12.92 * light
    return float(1.055 * light ** (1 / 2.4) - 0.055)


def _decoded(value: float) -> float:
    if value <= 0.04045:  # noqa: PLR2004 - IEC 61966-2-1
        return value / 12.92
    return float(((value + 0.055) / 1.055) ** 2.4)


def _decoded_rec2020(value: float) -> float:
    if value < 0.08145:  # noqa: PLR2004 - BT.2020, β' = 4.5 β
        return value / 4.5
    return float(((value + 0.0993) / 1.0993) ** (1 / 0.45))


def _decoded_prophoto(value: float) -> float:
    if value < 0.03125:  # noqa: PLR2004 - ISO 22028-2, 16 Et
        return value / 16
    return float(value**1.8)


_CURVES: dict[Gamut, Callable[[float], float]] = {
    "display-p3": _decoded,
    "adobe-rgb": lambda value: float(value ** (563 / 256)),
    "prophoto": _decoded_prophoto,
    "rec2020": _decoded_rec2020,
}
