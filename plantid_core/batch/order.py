"""What is wanted of a batch, what it will take, how far it is, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plantid_core.batch.standing import PATIENCE_S
from plantid_core.plants import LOCAL

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.batch.journal_values import Counts
    from plantid_core.plants import Answer

    Stopped = Literal["interrupted", "credits"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted. ``providers`` in the order of the columns; ``max_credits`` counts paid calls.

    ``user`` is whose calls of a minute these are.
    """

    directory: Path
    providers: tuple[str, ...]
    language: str = "en"
    concurrency: int = 8
    max_credits: int | None = None
    patience_s: float = PATIENCE_S
    user: str = "batch"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is to be done: at most so many calls, for no one knows yet which answers are kept already.

    ``seconds`` is a guess from the time that photos took before, else from a second each.
    """

    photos: int
    distinct: int
    done: int
    refused: int
    left_out: int
    calls: dict[str, int]
    spent: int
    seconds: float

    @property
    def credits(self) -> int:
        """Return the most paid calls that are still to be made."""
        return sum(calls for name, calls in self.calls.items() if name not in LOCAL)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is; ``credits`` are those of all its runs, ``silent`` names who is left alone."""

    done: int
    total: int
    elapsed_s: float
    left_s: float | None
    credits: int
    under_way: int
    silent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended; ``silent`` has the last word of every provider that photos still wait for."""

    counts: Counts
    credits: int
    credits_now: int
    elapsed_s: float
    asked: int
    stopped: Stopped | None
    silent: dict[str, Answer] = field(default_factory=dict)
