"""Where the page keeps batches: photos as they were brought, until all are answered, and the answers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "batches"


def folder(data_dir: Path) -> Path:
    """Return the folder of all batches, there or not."""
    return data_dir / _NAME


def forget(data_dir: Path) -> int:
    """Remove all batches with their photos and answers, and return how many there were.

    One that another process is asking now ends with an error.
    """
    kept = folder(data_dir)
    places = list(kept.iterdir()) if kept.is_dir() else []
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
    return len(places)
