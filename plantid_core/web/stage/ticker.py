"""How many were answered, how many were not, and what the answers saved."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plantid_core.credits import Credits
    from plantid_core.plants import Rung

RECENT_S = 10.0
_MOST_RECENT = 5000


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts since the ticker began, and of late.

    ``lately`` has the rungs of the last `RECENT_S` seconds, ``median_ms`` and ``slowest_ms`` their
    times (0 where nobody asked).
    """

    answered: int
    failed: int
    saved: int
    rungs: Mapping[Rung, int]
    lately: Mapping[Rung, int]
    median_ms: float
    slowest_ms: float


class Ticker:
    """Counts answers from any thread; ``credits`` are the app's own."""

    def __init__(self, credits_: Credits) -> None:
        self._credits = credits_
        self._lock = threading.Lock()
        self.begin()

    def begin(self) -> None:
        """Count anew, from nothing."""
        with self._lock:
            self._rungs: Counter[Rung] = Counter()
            self._recent: deque[tuple[float, float, Rung]] = deque(maxlen=_MOST_RECENT)
            self._saved_before = self._saved()

    def count(self, rung: Rung, ms: float) -> None:
        """Count one request; the rung "none" is a failure, any other an answer."""
        with self._lock:
            self._rungs[rung] += 1
            self._recent.append((time.monotonic(), ms, rung))

    def figures(self) -> Figures:
        """Return how things stand."""
        since = time.monotonic() - RECENT_S
        with self._lock:
            rungs = self._rungs.copy()
            recent = [(ms, rung) for at, ms, rung in self._recent if at >= since]
            saved = self._saved() - self._saved_before
        times = [ms for ms, _ in recent] or [0.0]
        failed = rungs.pop("none", 0)
        return Figures(
            rungs.total(),
            failed,
            saved,
            rungs,
            Counter(rung for _, rung in recent),
            statistics.median(times),
            max(times),
        )

    def _saved(self) -> int:
        return sum(count for (_, what), count in self._credits.totals().items() if what == "saved")
