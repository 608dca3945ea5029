"""What the protocol wants done, and what may come of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeAlias

    from plantid_core.resilience.envelope import Envelope, Kind
    from plantid_core.resilience.lease import Acquired, Committed, Lease

Origin = Literal["upstream", "near", "redis", "stale"]
Event = Literal[
    "hit", "near_hit", "miss", "hit_after_wait", "stale", "early", "negative", "error",
    "late_commit", "takeover", "degraded", "corrupt",
]  # fmt: skip


class Down(Enum):
    """The server gave no usable answer."""

    DOWN = "down"


DOWN = Down.DOWN


@dataclass(frozen=True, slots=True)
class Read:
    """Get the key's blob. Answered by bytes, None or DOWN."""


@dataclass(frozen=True, slots=True)
class Acquire:
    """Get another blob than the known one, or the lease. Answered by `Acquired` or DOWN."""

    known: bytes


@dataclass(frozen=True, slots=True)
class Compute:
    """Call upstream, renewing the lease meanwhile (None: without one). Answered by its result."""

    lease: Lease | None


@dataclass(frozen=True, slots=True)
class Commit:
    """Store and tell a blob under a lease. Answered by `Committed` or DOWN."""

    lease: Lease
    blob: bytes
    keep_s: float


@dataclass(frozen=True, slots=True)
class Await:
    """Sleep until the key's broadcast, at most so long. Answered by its blob or None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Computed:
    """A computation's value, and the seconds it took."""

    kind: Kind
    payload: bytes
    delta_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A computation's error, and the seconds it took."""

    error: BaseException
    delta_s: float


@dataclass(frozen=True, slots=True)
class Landing:
    """An envelope and where it came from; ``refresh``: it should be made anew, behind the caller."""

    envelope: Envelope
    origin: Origin
    refresh: bool = False


if TYPE_CHECKING:
    Effect: TypeAlias = Read | Acquire | Compute | Commit | Await
    Answer: TypeAlias = bytes | Acquired | Computed | Failed | Committed | Down | None
    Steps: TypeAlias = Generator[Effect, Answer, Landing | None]
