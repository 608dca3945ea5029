"""What a live breaker's run has come to so far: counts by the second, states, and an event log."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pandas as pd

End: TypeAlias = Literal["ok", "failed", "refused"]

_ENDS: tuple[End, ...] = ("ok", "failed", "refused")
_MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened: seconds since the beginning, what it was about, and what."""

    at_s: float
    about: str
    what: str


class Book:
    """Safe to use from any thread. Its time runs from `begin` to `end`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began: float | None = None
        self._ended: float | None = None
        self._counts: Counter[tuple[int, End]] = Counter()
        self._turns: list[tuple[float, str]] = [(0.0, "closed")]
        self._entries: deque[Entry] = deque(maxlen=_MOST_ENTRIES)

    def begin(self) -> None:
        """Begin to count the time."""
        self._began = time.monotonic()

    def end(self) -> None:
        """Stop the time."""
        self._ended = time.monotonic()

    def now(self) -> float:
        """Return the seconds since the beginning, 0 before it."""
        if self._began is None:
            return 0.0
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    def count(self, came_s: float, end: End) -> None:
        """Count a request that came then and ended so."""
        with self._lock:
            self._counts[int(came_s), end] += 1

    def turn(self, state: str) -> None:
        """Note the breaker's state; one that it was in already is no change."""
        with self._lock:
            if self._turns[-1][1] != state and self._ended is None:
                self._turns.append((self.now(), state))

    def write(self, about: str, what: str) -> None:
        """Write into the event log."""
        with self._lock:
            self._entries.append(Entry(self.now(), about, what))

    def entries(self) -> list[Entry]:
        """Return the event log, the latest first."""
        with self._lock:
            return list(reversed(self._entries))

    def states(self) -> pd.DataFrame:
        """Return the states so far: ``begin_s``, ``end_s``, ``state``."""
        with self._lock:
            begins, states = zip(*self._turns, strict=True)
        return pd.DataFrame(
            {"begin_s": begins, "end_s": [*begins[1:], self.now()], "state": states}
        )

    def timeline(self) -> pd.DataFrame:
        """Return a row a second so far: ``second``, ``offered``, its ends, ``error_rate``."""
        with self._lock:
            counts = Counter(self._counts)
        seconds = range(math.ceil(self.now()))
        rows = pd.DataFrame(
            {end: [counts[second, end] for second in seconds] for end in _ENDS}, dtype="int64"
        )
        sent = rows["ok"] + rows["failed"]
        rows.insert(0, "second", list(seconds))
        rows.insert(1, "offered", sent + rows["refused"])
        rows["error_rate"] = rows["failed"] / sent.where(sent > 0)
        return rows
