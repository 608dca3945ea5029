"""One strict decode, and one clean re-encode."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import math
from typing import TYPE_CHECKING, cast

from PIL import Image

from plantid_core.errors import UploadRejected
from plantid_core.plants import Place
from plantid_core.upload.photo import Photo, Prefill

if TYPE_CHECKING:
    from plantid_core.upload.container import Header
    from plantid_core.upload.policy import Policy

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_GPS_IFD, _EXIF_IFD, _DATE_TAKEN = 0x8825, 0x8769, 0x9003


def sanitise(data: bytes, header: Header, policy: Policy) -> Photo:
    """Return the picture in ``data`` as a clean JPEG; raises `UploadRejected` where it is damaged."""
    try:
        picture = _decode(data, header, policy)
    except MemoryError:
        raise
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        TypeError,
        OverflowError,
    ) as fault:
        # Parsers raise all of these on damaged input; their wording is for nobody's eyes.
        message = (
            "This photo is damaged: it cannot be decoded to the end. Copy it again from the camera."
        )
        raise UploadRejected(
            "undecodable",
            message,
            layer="decode",
            detected=header.format,
            value=type(fault).__name__,
        ) from None
    jpeg = _encode(_fit(picture, policy.output_side), policy)
    full = _encode(picture, policy) if policy.keep_full else None
    size = Image.open(io.BytesIO(jpeg)).size
    digest = hashlib.sha256(jpeg).hexdigest()
    return Photo(jpeg, digest, *size, header.format, header.metadata, full)


def _decode(data: bytes, header: Header, policy: Policy) -> Image.Image:
    with Image.open(io.BytesIO(header.stripped(data)), formats=[header.format]) as image:
        if header.format == "JPEG" and not policy.keep_full:
            scale = min(1.0, policy.output_side / max(image.size))
            image.draft("RGB", (math.ceil(image.width * scale), math.ceil(image.height * scale)))
        image.load()
        plain = _opaque_rgb(image)
    turn = _UPRIGHT.get(header.orientation)
    return plain if turn is None else plain.transpose(turn)


def _opaque_rgb(image: Image.Image) -> Image.Image:
    """Return 8-bit RGB on white, in a fresh image that carries none of the original's extras."""
    if image.mode.startswith(("I;16", "I")):
        wide = image.convert("I").point(lambda value: value / 257)
        image = wide.convert("L")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        canvas = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(canvas, layer).convert("RGB")
    return Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())


def _fit(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    if scale >= 1.0:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC)


def _encode(picture: Image.Image, policy: Policy) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=policy.output_quality)
    return buffer.getvalue()


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
