"""What the emulated services see in pictures: an image model each, and a memory of answers."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from PIL import Image

from plantid_core.providers.recognition import load_head

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from plantid_core.providers.recognition import Head, HeadName, Recognition

_REMEMBERED = 4096
_LONG_SIDE = 1024
_MOST_PIXELS = 89_000_000


class UnreadableImage(ValueError):
    """The bytes are no picture."""


class Oracle:
    """One service's eye; it looks at one question at a time.

    Answers are remembered by the pictures' digest, so that a load test measures the client and
    the wire, not the model.
    """

    def __init__(self, head: HeadName, cache_dir: Path, *, most_pixels: int = _MOST_PIXELS) -> None:
        self._name = head
        self._cache_dir = cache_dir
        self._most_pixels = most_pixels
        self._one_at_a_time = CapacityLimiter(1)
        self._flights: dict[str, asyncio.Task[Recognition]] = {}
        self._head: Head | None = None
        self._lock = threading.Lock()
        self._remembered: OrderedDict[str, Recognition] = OrderedDict()

    async def look(self, images: Sequence[bytes], language: str = "en") -> Recognition:
        """Return what the model sees in all pictures together; raises `UnreadableImage`."""
        digest = hashlib.sha256(b"".join(hashlib.sha256(image).digest() for image in images))
        key = f"{digest.hexdigest()}:{language}"
        if (known := self._remembered.get(key)) is not None:
            self._remembered.move_to_end(key)
            return known
        if (flight := self._flights.get(key)) is None:
            flight = asyncio.create_task(self._see(key, list(images), language))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key))
        # Shielded: the first client to ask may leave while others still wait for the answer.
        return await asyncio.shield(flight)

    async def _see(self, key: str, images: list[bytes], language: str) -> Recognition:
        seen = await run_sync(self._look, images, language, limiter=self._one_at_a_time)
        self._remembered[key] = seen
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return seen

    def load(self) -> None:
        """Load the model now."""
        self._loaded()

    def _look(self, images: list[bytes], language: str) -> Recognition:
        jpegs = [_as_jpeg(image, self._most_pixels) for image in images]
        return self._loaded().recognise_many(jpegs, language)

    def _loaded(self) -> Head:
        with self._lock:
            if self._head is None:
                self._head = load_head(self._name, self._cache_dir)
            return self._head


def _as_jpeg(image: bytes, most_pixels: int) -> bytes:
    try:
        with Image.open(io.BytesIO(image), formats=["JPEG", "PNG", "WEBP", "GIF"]) as picture:
            if picture.width * picture.height > most_pixels:
                raise UnreadableImage("too large")
            if picture.format == "JPEG":
                picture.load()
                return image
            rgb = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnreadableImage("not a picture") from error
    rgb.thumbnail((_LONG_SIDE, _LONG_SIDE))
    buffer = io.BytesIO()
    rgb.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()
