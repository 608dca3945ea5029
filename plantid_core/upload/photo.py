"""The safe value at the end of the upload chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from plantid_core.plants import Place


@dataclass(frozen=True, slots=True)
class Photo:
    """A sanitised JPEG: upright, one frame, no metadata, long side within the policy's bound.

    ``sha256`` is of ``jpeg``; ``source_format`` is what was uploaded (JPEG, PNG, WEBP, GIF);
    ``stripped`` names what was removed; ``full`` is the same picture at full size when the policy
    keeps it.
    """

    jpeg: bytes = field(repr=False)
    sha256: str
    width: int
    height: int
    source_format: str
    stripped: tuple[str, ...] = ()
    full: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Prefill:
    """What the photo itself says of place and date; read only when its owner asks for it."""

    place: Place | None = None
    date: dt.date | None = None
