"""What a batch's journal is of, what it tells, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from plantid_core.plants import Answer, Consensus


class JournalUnusable(PlantIDError):
    """The journal at ``path`` cannot be used: no journal, damaged, or no room to write."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"The journal {path} cannot be used: {reason}")
        self.path, self.reason = path, reason


class JournalInUse(PlantIDError):
    """Another run works on the journal at ``path``."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"Another run is at work on {path}. Wait for it, or write to another table."
        )
        self.path = path


class JournalDiffers(PlantIDError):
    """The journal at ``path`` was begun with another choice of ``what``."""

    def __init__(self, path: str, what: str, before: object, now: object) -> None:
        super().__init__(
            f"{path} was begun with {what} {_said(before)}; this time it is {_said(now)}. Give the same"
            " again, write to another table, or begin anew with --again."
        )
        self.path, self.what, self.before, self.now = path, what, before, now


def _said(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a batch is of; a journal is continued only with the same."""

    directory: str
    providers: tuple[str, ...]
    sandbox: tuple[str, ...]
    language: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A photo that is not settled; ``key`` None while it has not been read."""

    path: bytes
    key: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """What the journal has of one key."""

    settled: bool
    turn: int
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One photo, as the table is made from it; ``key`` None for one that was never read.

    ``code`` and ``message`` tell why it is ``refused``, or else why it could not be asked.
    """

    path: bytes
    key: str | None
    refused: bool
    code: str | None
    message: str | None
    answers: tuple[Answer, ...]
    joint: Consensus | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Photos by what came of them; ``distinct`` counts those that differ."""

    photos: int
    refused: int
    settled: int
    distinct: int

    @property
    def left(self) -> int:
        """Return how many photos are neither settled nor refused."""
        return self.photos - self.refused - self.settled
