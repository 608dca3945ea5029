"""Photos without end: one real photo, small, each with a mark of its own in the corner."""

from __future__ import annotations

import functools
import io

from PIL import Image

from plantid_core.upload import Upload
from plantid_core.workbench import sample_photo

_LONG_SIDE = 320
_BITS = 18
# JPEG's unit of chroma: a square of it is not blurred into its neighbours.
_SQUARE = 16


def photo(number: int) -> Upload:
    """Return the photo of this number (below 2¹⁸): the same bytes for the same number, everywhere."""
    image = _small().copy()
    for bit in range(_BITS):
        tone = "white" if number >> bit & 1 else "black"
        image.paste(tone, (bit * _SQUARE, 0, (bit + 1) * _SQUARE, _SQUARE))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return Upload(buffer.getvalue(), f"plant-{number}.jpg", "image/jpeg")


@functools.cache
def _small() -> Image.Image:
    image = Image.open(io.BytesIO(sample_photo().data)).convert("RGB")
    image.thumbnail((_LONG_SIDE, _LONG_SIDE))
    return image
