"""Pictures and places that many tests share."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no variable of the machine decide a test."""
    for name in [name for name in os.environ if name.startswith("PLANTID_")]:
        if name != "PLANTID_SCREENSHOTS":
            monkeypatch.delenv(name)


@pytest.fixture
def quadrants() -> Callable[..., bytes]:
    """Return an encoder of a 320 x 240 picture: red, green / blue, white."""

    def encode(format_name: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
        pixels = np.zeros((240, 320, 3), np.uint8)
        pixels[:120, :160] = (255, 0, 0)
        pixels[:120, 160:] = (0, 255, 0)
        pixels[120:, :160] = (0, 0, 255)
        pixels[120:, 160:] = (255, 255, 255)
        buffer = io.BytesIO()
        Image.fromarray(pixels).convert(mode).save(buffer, format_name, **options)
        return buffer.getvalue()

    return encode
