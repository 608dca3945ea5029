"""From a stripped stream and what its header told, to the sanitised picture."""

from __future__ import annotations

import io
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from plantid_core.upload.decode import libwebp
from plantid_core.upload.decode import raster as pillow
from plantid_core.upload.decode.gamut import to_srgb
from plantid_core.upload.decode.plan import Picture
from plantid_core.upload.rejection import reject

if TYPE_CHECKING:
    from plantid_core.upload.decode.plan import Plan

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What parsers raise on damaged input; their wording is for nobody's eyes.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    Warning,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Raster:
    """A decoded picture: opaque RGB, upright, sRGB; ``whole`` at full size where it is asked for."""

    small: Image.Image
    whole: Image.Image | None


def sanitise(stripped: bytes, plan: Plan) -> Picture:
    """Return the picture in a stripped stream as plain JPEG; raises `UploadRejected`."""
    return encode(decode(stripped, plan), plan)


def decode(stripped: bytes, plan: Plan) -> Raster:
    """Return the picture in a stripped stream; raises `UploadRejected` where it is damaged."""
    try:
        return _developed(stripped, plan)
    except MemoryError:
        raise reject("decode_memory", limit=plan.worker_bytes) from None
    except _DAMAGE as fault:
        raise reject(
            "undecodable", value=type(fault).__name__, detected=f"a damaged {plan.format} picture"
        ) from None


def encode(raster: Raster, plan: Plan) -> Picture:
    """Return the raster as plain JPEG; raises `UploadRejected` for want of memory."""
    try:
        full = _encode(raster.whole, plan.output_quality) if raster.whole else None
        if full is not None and raster.whole is raster.small:
            return Picture(full, full)
        return Picture(_encode(raster.small, plan.output_quality), full)
    except MemoryError:
        raise reject("decode_memory", limit=plan.worker_bytes) from None


def _developed(stripped: bytes, plan: Plan) -> Raster:
    if plan.keep_full:
        whole = _upright(to_srgb(_load(stripped, plan, math.inf), plan.gamut), plan.orientation)
        return Raster(pillow.fit(whole, plan.output_side, max(plan.width, plan.height)), whole)
    longest = max(plan.width, plan.height)
    small = pillow.fit(_load(stripped, plan, plan.output_side), plan.output_side, longest)
    return Raster(_upright(to_srgb(small, plan.gamut), plan.orientation), None)


def _load(stripped: bytes, plan: Plan, side: float) -> Image.Image:
    """Return opaque RGB, whose longer side is not shorter than ``side`` unless the file's is."""
    if plan.format == "WEBP" and libwebp.available():
        return libwebp.decode(stripped, (plan.width, plan.height), plan.offset, side)
    return pillow.decode(stripped, plan.format, side)


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _encode(picture: Image.Image, quality: int) -> bytes:
    # The encoder would write out what it finds here, a comment or a resolution.
    picture.info = {}
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
