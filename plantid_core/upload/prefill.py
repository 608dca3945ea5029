"""What a photo itself says of place and date, read only when its owner asks for it."""

from __future__ import annotations

import datetime as dt
import io
from typing import cast

from PIL import Image

from plantid_core.plants import Place
from plantid_core.upload.photo import Prefill

_GPS_IFD, _EXIF_IFD, _DATE_TAKEN = 0x8825, 0x8769, 0x9003


def read_prefill(data: bytes) -> Prefill:
    """Return the place and date that an admitted file's EXIF tells; empty where there is none."""
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG", "WEBP"]) as image:
            exif = image.getexif()
            return Prefill(_place(exif.get_ifd(_GPS_IFD)), _date(exif.get_ifd(_EXIF_IFD)))
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, ZeroDivisionError, IndexError):
        return Prefill()


def _place(gps: dict[int, object]) -> Place | None:
    if not {1, 2, 3, 4} <= gps.keys():
        return None
    latitude = _degrees(gps[2]) * (-1 if gps[1] == "S" else 1)
    longitude = _degrees(gps[4]) * (-1 if gps[3] == "W" else 1)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # noqa: PLR2004 - the globe
        return None
    return Place(round(latitude, 5), round(longitude, 5))


def _degrees(value: object) -> float:
    degrees, minutes, seconds = (float(part) for part in cast("tuple[float, float, float]", value))
    return degrees + minutes / 60 + seconds / 3600


def _date(exif: dict[int, object]) -> dt.date | None:
    text = str(exif.get(_DATE_TAKEN, ""))[:10]
    try:
        return dt.datetime.strptime(text, "%Y:%m:%d").date()  # noqa: DTZ007 - a camera's local day
    except ValueError:
        return None
