"""A strict decode by Pillow, to opaque 8-bit RGB, in bounded memory."""

from __future__ import annotations

import io
import math
import warnings

from PIL import Image, ImageChops

from plantid_core.upload.policy import OUTPUT_SLACK

_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_STRIP_PIXELS = 200_000  # fits a processor's cache
# A picture is first averaged down to a little above its final side: cheaper than one long filter.
_GAP = 1.25


def decode(stripped: bytes, format_name: str, side: float) -> Image.Image:
    """Return the first picture as opaque RGB; its longer side is ≥ ``side`` unless the file's is less.

    Raises whatever Pillow raises on damage, truncation included; its warnings are errors.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Our own limit was checked before: this one only warns, and is the whole process's.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(stripped), formats=[format_name]) as image:
            if format_name == "JPEG" and side < max(image.size):
                scale = side / max(image.size)
                image.draft(
                    "RGB", (math.ceil(image.width * scale), math.ceil(image.height * scale))
                )
            image.load()
            return flatten(image, max(1, int(max(image.size) / side / _GAP)))


def flatten(image: Image.Image, factor: int = 1) -> Image.Image:
    """Return opaque RGB on white, averaged down by a whole ``factor``.

    Works in strips, so that the one copy it makes is that of the result.
    """
    opaque = image.mode not in _ALPHA and "transparency" not in image.info
    if image.mode == "RGB" and opaque:
        return image.reduce(factor) if factor > 1 else image
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // width // factor) * factor
    result = Image.new("RGB", (math.ceil(width / factor), math.ceil(height / factor)))
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows)))
        result.paste(_flat_strip(strip, factor, opaque=opaque), (0, top // factor))
    return result


def _flat_strip(strip: Image.Image, factor: int, *, opaque: bool) -> Image.Image:
    if strip.mode.startswith("I"):
        # 16 bits are scaled: a plain conversion would clip nearly all of them to white.
        strip = strip.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")
    if opaque:
        plain = strip.convert("RGB")
        return plain.reduce(factor) if factor > 1 else plain
    premultiplied = (strip if strip.mode == "RGBA" else strip.convert("RGBA")).convert("RGBa")
    if factor > 1:
        premultiplied = premultiplied.reduce(factor)
    *colours, alpha = premultiplied.split()
    paper = ImageChops.invert(alpha)
    return Image.merge("RGB", [ImageChops.add(colour, paper) for colour in colours])


def fit(picture: Image.Image, side: int, longest: int) -> Image.Image:
    """Return the picture with its longer side at ``side`` pixels, or up to a tenth above it.

    ``longest`` is what the longer side was in the file: to shrink by less than half, a shorter
    filter serves (44 dB against Lanczos, 51 for the longer one), and takes two thirds of the time.
    """
    scale = side / max(picture.size)
    if scale * OUTPUT_SLACK >= 1.0:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    sharp = longest >= 2 * side
    kernel = Image.Resampling.BICUBIC if sharp else Image.Resampling.HAMMING
    return picture.resize(size, kernel, reducing_gap=_GAP)
