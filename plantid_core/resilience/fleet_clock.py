"""Redis' clock, as far as a process can tell: Cristian's algorithm, by the quickest reading.

Cristian, "Probabilistic clock synchronization", Distributed Computing 3, 1989: the error of a reading is
at most half of its round trip.
"""

from __future__ import annotations

import math
import time

_RESYNC_S = 60.0
_EXACT_MS = 1.0
_DRIFT = 1e-4  # two quartz clocks drift apart by less


class FleetClock:
    """Redis' clock, read off ours: the reading with the shortest round trip of late is gone by."""

    def __init__(self) -> None:
        self.offset_ms = 0.0
        self._round_trip_ms = math.inf
        self._read_at_ms = -math.inf

    def now_ms(self) -> float:
        """Return what Redis' clock shows."""
        return time.monotonic() * 1e3 + self.offset_ms

    @property
    def good(self) -> bool:
        """Tell whether the reading is exact and young."""
        young = time.monotonic() * 1e3 - self._read_at_ms < _RESYNC_S * 1e3
        return young and self._round_trip_ms <= _EXACT_MS

    def sample(self, asked_ms: float, answered_ms: float, shown_ms: float) -> None:
        """Take a reading of Redis' clock, asked and answered at these times of ours."""
        round_trip = answered_ms - asked_ms
        offset = shown_ms - (asked_ms + answered_ms) / 2
        # Its host's clock may be set; else a slow reading must not oust an exact one.
        stepped = abs(offset - self.offset_ms) > round_trip + self._round_trip_ms
        aged_ms = max(0.0, asked_ms - self._read_at_ms) * _DRIFT
        if stepped or round_trip <= self._round_trip_ms + aged_ms:
            self.offset_ms, self._round_trip_ms = offset, round_trip
            self._read_at_ms = answered_ms
