"""The hostile and honest files of a shared corpus, when it lies beside the checkout."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from plantid_core.errors import UploadRejected
from plantid_core.upload import Photo, Policy, admit, container

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = {"R": (220, 30, 30), "G": (30, 200, 30), "B": (30, 30, 220), "W": (240, 240, 240)}
TOLERANCE = 48


@dataclass(frozen=True)
class Entry:
    """One row of the manifest, with its bytes."""

    row: dict[str, str]
    data: bytes

    @property
    def name(self) -> str:
        return str(json.loads(self.row["upload_name"]))

    def judged(self, *, isolate: bool) -> Photo | UploadRejected:
        try:
            return admit(self.data, self.name, self.row["content_type"], isolate=isolate)
        except UploadRejected as rejected:
            return rejected


@pytest.fixture(scope="module")
def entries(pytestconfig: pytest.Config) -> list[Entry]:
    folder: Path = pytestconfig.rootpath.parent / "shared" / "corpus-dev"
    if not folder.is_dir():
        pytest.skip("needs ../shared/corpus-dev")
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [Entry(row, _padded(folder / row["file"], row["pad_to"])) for row in rows]


def _padded(path: Path, size: str) -> bytes:
    return path.read_bytes().ljust(int(size or 0), b"\0")


def faults(entry: Entry, photo: Photo) -> list[str]:
    """Return what is wrong with an accepted file's output."""
    row, found = entry.row, []
    header = container.walk(photo.jpeg, "JPEG", Policy())
    if header.embedded or header.trailing or header.frames != 1:
        found.append(f"carries {header.metadata}")
    if row["forbid"] and row["forbid"].encode("latin-1") in photo.jpeg:
        found.append("forbidden bytes")
    with Image.open(io.BytesIO(photo.jpeg)) as image:
        image.load()
        if image.getexif() or {"icc_profile", "comment", "exif"} & image.info.keys():
            found.append(f"info {sorted(image.info)}")
        if row["out_w"] and row["vector"] != "vector":
            found += _shape(image, int(row["out_w"]), int(row["out_h"]))
        found += _colours(np.asarray(image.convert("RGB"), np.float64), row["corners"])
    return found


def _shape(image: Image.Image, width: int, height: int) -> list[str]:
    scale = max(image.size) / max(width, height)
    expected = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale > 1 or np.abs(np.subtract(expected, image.size)).max() > 1:
        return [f"size {image.size} of {width} x {height}"]
    return []


def _colours(pixels: np.ndarray, corners: str) -> list[str]:
    height, width, _ = pixels.shape
    found = []
    if corners.startswith("RGBW"):
        places = {"R": (0.1, 0.1), "G": (0.1, 0.9), "B": (0.9, 0.1), "W": (0.9, 0.9)}
        for letter, (down, right) in places.items():
            pixel = pixels[int(down * height), int(right * width)]
            if np.abs(pixel - COLOURS[letter]).max() > TOLERANCE:
                found.append(f"{letter} is {pixel}")
    if corners.endswith("whitecentre") and pixels[height // 2, width // 2].min() < 255 - TOLERANCE:
        found.append(f"centre {pixels[height // 2, width // 2]}")
    if corners == "L16" and not 60 <= pixels.mean() <= 160:
        found.append(f"mean {pixels.mean():.0f}")
    return found


@pytest.mark.parametrize("isolate", [False, True], ids=["in process", "in a worker"])
def test_every_scored_file_gets_its_verdict(entries: list[Entry], *, isolate: bool) -> None:
    """Every verdict that counts is right."""
    wrong = []

    for entry in entries:
        verdict = entry.judged(isolate=isolate)
        given = "accept" if isinstance(verdict, Photo) else "reject"
        if entry.row["score"] == "must" and given != entry.row["expect"]:
            wrong.append((entry.row["file"], entry.row["expect"], str(verdict)))

    assert not wrong


def test_every_accepted_file_comes_out_clean(entries: list[Entry]) -> None:
    """Outputs are upright, of the right shape and colours, and hold a picture and nothing else."""
    wrong = []

    for entry in entries:
        verdict = entry.judged(isolate=False)
        if isinstance(verdict, Photo) and (found := faults(entry, verdict)):
            wrong.append((entry.row["file"], entry.row["score"], found))

    assert not [fault for fault in wrong if fault[1] == "must"]
