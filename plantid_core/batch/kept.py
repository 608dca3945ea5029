"""Where the page keeps batches: photos as they were brought, until all are answered, and the answers."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from plantid_core.store.history.values import LOCAL_OWNER

if TYPE_CHECKING:
    from pathlib import Path

_NAME, _OTHERS = "batches", "batches-of"


def folder(data_dir: Path, owner: str = LOCAL_OWNER) -> Path:
    """Return the folder of all batches of an owner, there or not."""
    if owner == LOCAL_OWNER:
        return data_dir / _NAME
    if not owner.isalnum():
        # It names a folder, and no owner's id has any other letters.
        message = f"an owner's id has letters and digits only; {owner!r} has others"
        raise ValueError(message)
    return data_dir / _OTHERS / owner


def folders(data_dir: Path) -> tuple[Path, ...]:
    """Return the folders of everybody's batches that are there."""
    others = data_dir / _OTHERS
    found = [data_dir / _NAME, *(sorted(others.iterdir()) if others.is_dir() else ())]
    return tuple(path for path in found if path.is_dir())


def forget(data_dir: Path, owner: str = LOCAL_OWNER) -> int:
    """Remove all batches of an owner with their photos and answers, and return how many there were.

    One that another process is asking now ends with an error.
    """
    kept = folder(data_dir, owner)
    places = list(kept.iterdir()) if kept.is_dir() else []
    for place in places:
        shutil.rmtree(place, ignore_errors=True)
    return len(places)
