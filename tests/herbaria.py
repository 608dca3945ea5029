"""Labelled folders for herbaria, cut from two photos that scikit-learn ships."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

FLOWER, TEMPLE = "Dahlia pinnata", "Prunus serrulata"


@cache
def sample(number: int) -> Image.Image:
    from sklearn.datasets import load_sample_images

    return Image.fromarray(load_sample_images().images[number])


def copies(number: int, count: int, seed: int = 1) -> list[bytes]:
    """Return cuts of a sample photo (0 the temple, 1 the flower), a little turned."""
    rng = np.random.default_rng(seed)
    image, found = sample(number), []
    for _ in range(count):
        width, height = (int(side * rng.uniform(0.6, 0.95)) for side in image.size)
        left = int(rng.integers(image.width - width + 1))
        top = int(rng.integers(image.height - height + 1))
        cut = image.crop((left, top, left + width, top + height)).rotate(rng.uniform(-20, 20))
        buffer = io.BytesIO()
        cut.save(buffer, "JPEG", quality=90)
        found.append(buffer.getvalue())
    return found


def labelled(root: Path, flowers: int = 4, temples: int = 3) -> Path:
    """Return a folder with so many photos of each."""
    for name, number, count in ((FLOWER, 1, flowers), (TEMPLE, 0, temples)):
        (root / name).mkdir(parents=True, exist_ok=True)
        for at, data in enumerate(copies(number, count)):
            (root / name / f"{at}.jpg").write_bytes(data)
    return root
