"""Where a herbarium lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "herbarium.safetensors"


def folder(data_dir: Path) -> Path:
    """Return where all that belongs to the herbarium lies."""
    return data_dir / "herbarium"


def path(data_dir: Path) -> Path:
    """Return the herbarium's file, there or not."""
    return folder(data_dir) / NAME
