"""What client processes are told to ask, and what they tell of each answer: JSON lines both ways."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Hello:
    """The first line a client reads: its number, and the settings of its workbench."""

    number: int
    settings: dict[str, object]


@dataclass(frozen=True, slots=True)
class Traffic:
    """So many requests, ``rate`` a second (0: all at once), from so many threads.

    They go through ``photos`` photos in turn, from number ``first`` on. ``unasked`` makes every
    request one that nobody has asked before: of another day, which costs the emulated services no
    model time. ``apart`` gives each client photos of its own. ``attacks`` names hostile files to be
    sent instead of photos.
    """

    name: str
    requests: int
    rate: float = 0.0
    threads: int = 1
    photos: int = 1
    first: int = 0
    unasked: bool = False
    apart: bool = False
    fresh: bool = False
    providers: tuple[str, ...] | None = None
    deadline_s: float | None = None
    attacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """Traffic to begin at a time of the monotonic clock, which all processes share."""

    traffic: Traffic
    at: float


@dataclass(frozen=True, slots=True)
class Said:
    """One provider's part of an answer."""

    provider: str
    status: str
    source: str
    code: str | None
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one request.

    ``ms`` counts from the moment it was due, so that a client that falls behind is slow. ``refused``
    is an upload's refusal; ``failed`` an exception, which no request is to end with.
    """

    traffic: str
    client: int
    due: float
    ms: float
    rung: str = "none"
    degraded: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()
    refused: str | None = None
    failed: str | None = None

    @property
    def ended(self) -> float:
        """Return when the answer came, on the monotonic clock."""
        return self.due + self.ms / 1e3

    def of(self, provider: str) -> Said | None:
        """Return what a provider said, None where it was not asked."""
        return next((said for said in self.said if said.provider == provider), None)


class Heard:
    """Answers, and the questions one has about many of them."""

    def __init__(self, told: list[Told]) -> None:
        self._told = told

    def __len__(self) -> int:
        return len(self._told)

    def __iter__(self) -> Iterator[Told]:
        return iter(self._told)

    def where(self, wanted: Callable[[Told], bool]) -> Heard:
        """Return those that ``wanted`` holds of."""
        return Heard([told for told in self._told if wanted(told)])

    def of(self, traffic: str) -> Heard:
        """Return the answers to one traffic."""
        return self.where(lambda told: told.traffic == traffic)

    def since(self, at: float, until: float = float("inf")) -> Heard:
        """Return the answers to what was due from one time to another of the monotonic clock."""
        return self.where(lambda told: at <= told.due < until)

    def answered(self) -> int:
        """Return how many got any answer at all."""
        return sum(told.rung != "none" for told in self._told)

    def rungs(self) -> Counter[str]:
        """Return how many stood on each rung."""
        return Counter(told.rung for told in self._told)

    def statuses(self, provider: str) -> Counter[str]:
        """Return how often a provider's part had each status."""
        return Counter(said.status for told in self._told if (said := told.of(provider)))

    def codes(self, provider: str) -> Counter[str]:
        """Return how often a provider's part had each error code."""
        said = (told.of(provider) for told in self._told)
        return Counter(one.code for one in said if one and one.code)

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the times; 0 where there are none."""
        times = [told.ms for told in self._told]
        return float(np.percentile(times, percent)) if times else 0.0

    def slowest_ms(self) -> float:
        """Return the longest time."""
        return self.percentile_ms(100)
