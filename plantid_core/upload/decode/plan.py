"""What goes to a decoder beside the bytes, and what comes back; knows no image library."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plantid_core.upload.container import Gamut, Header
    from plantid_core.upload.policy import Policy


@dataclass(frozen=True, slots=True)
class Plan:
    """What a decoder has to know of a stripped stream; sides in pixels, as stored."""

    format: str
    width: int
    height: int
    orientation: int
    gamut: Gamut | None
    offset: tuple[int, int]
    output_side: int
    output_quality: int
    keep_full: bool
    worker_bytes: int

    @classmethod
    def of(cls, header: Header, policy: Policy) -> Plan:
        """Return the plan for a file that has passed every gate."""
        return cls(
            header.format,
            header.width,
            header.height,
            header.orientation,
            header.gamut,
            header.offset,
            policy.output_side,
            policy.output_quality,
            policy.keep_full,
            policy.worker_bytes,
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """Plain JPEG bytes, upright: within the output side, and at full size where it was asked for."""

    jpeg: bytes = field(repr=False)
    full: bytes | None = field(default=None, repr=False)
