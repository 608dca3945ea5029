"""Folders of real photos: crops of one, each different."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 220


def crops(photo: bytes, folder: Path, count: int) -> list[Path]:
    """Write so many different crops of the photo, the same ones each time; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = Image.open(io.BytesIO(photo)).convert("RGB")
    paths = []
    for number in range(count):
        left = number * (picture.width - SIDE) // count
        path = folder / f"{number:03}.jpg"
        picture.crop((left, 50, left + SIDE, 50 + SIDE)).save(path, "JPEG", quality=90)
        paths.append(path)
    return paths
