"""How often each of many may ask: a sliding window, counted here and told to other processes.

The count of the last period is estimated from two fixed windows, the former one weighted by how much
of it still lies within (Cloudflare, "How we built rate limiting", 2017). Decisions are made on what is
known in this process; what others counted is learnt behind, by `outstanding` and `learn`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_RATE = re.compile(r"(\d+)/(second|minute|hour|day)")


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    limit: int
    period_s: int

    def __str__(self) -> str:
        """Return it as `errors.Throttled` has it: ``60 per 1 minute``."""
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.period_s)
        return f"{self.limit} per 1 {unit}"


def rate_of(text: str, times: int = 1) -> Rate | None:
    """Return the rate that ``60/minute`` says, ``times`` as many; None for none."""
    found = _RATE.fullmatch(text.strip())
    return None if found is None else Rate(int(found[1]) * times, _SECONDS[found[2]])


class Verdict(NamedTuple):
    """Whether one more is allowed, how many would be after it, and when that changes."""

    allowed: bool
    remaining: int
    wait_s: float


@dataclass(slots=True)
class Tally:
    """One key's count in one window: of this process, how much of that is told, and of others."""

    own: int = 0
    told: int = 0
    others: int = 0

    @property
    def total(self) -> int:
        """Return all that is known."""
        return self.own + self.others

    def learn(self, own: int, total: int) -> None:
        """Take in what all processes counted, when this one had told them ``own``."""
        self.told = own
        self.others = max(0, total - own)


class Due(NamedTuple):
    """A count to be added to everybody's."""

    window: int
    key: str
    tally: Tally


class SlidingWindows:
    """Counts by key; refused requests do not count, so that who asks too often still gets the rate.

    Of ``most`` keys a window the one that came first is forgotten when another comes: the memory is
    bounded, and a crowd of addresses can at worst ask as often as it has addresses.
    """

    def __init__(self, rate: Rate, *, most: int = 50_000) -> None:
        self.rate = rate
        self._most = most
        self._window = -1
        self._current: dict[str, Tally] = {}
        self._former: dict[str, Tally] = {}
        self._due: dict[tuple[int, str], Tally] = {}

    def __len__(self) -> int:
        """Return how many counts are kept."""
        return len(self._current) + len(self._former)

    def take(self, key: str, now_s: float) -> Verdict:
        """Count a request at a time (Unix, seconds), if it is allowed."""
        verdict = self.look(key, now_s)
        if not verdict.allowed:
            return verdict
        tally = self._current.get(key) or self._begun(key)
        tally.own += 1
        if tally.own - tally.told == 1:
            self._due[self._window, key] = tally
        return verdict

    def look(self, key: str, now_s: float) -> Verdict:
        """Return what `take` would, and count nothing."""
        limit, period_s = self.rate
        position = now_s / period_s
        if position >= self._window + 1:
            self._turn(int(position))
        # A clock that was set back is held at the window's beginning.
        passed = max(0.0, position - self._window)
        total = found.total if (found := self._current.get(key)) else 0
        before = former.total if (former := self._former.get(key)) else 0
        used = before * (1 - passed) + total
        if used + 1 > limit:
            return Verdict(allowed=False, remaining=0, wait_s=self._wait(before, total, passed))
        remaining = int(limit - used - 1)
        return Verdict(allowed=True, remaining=remaining, wait_s=(1 - passed) * period_s)

    def _wait(self, before: int, total: int, passed: float) -> float:
        limit, period_s = self.rate
        if total + 1 <= limit:
            free_at = 1 - (limit - 1 - total) / before
        else:
            free_at = 1 + max(0.0, 1 - (limit - 1) / total)
        return max(0.0, free_at - passed) * period_s

    def _begun(self, key: str) -> Tally:
        if len(self._current) >= self._most:
            oldest = next(iter(self._current))
            del self._current[oldest]
            self._due.pop((self._window, oldest), None)
        tally = self._current[key] = Tally()
        # Others may have counted it in the former window, and know by now how often.
        former = self._former.get(key)
        if former is None and len(self._former) < self._most:
            former = self._former[key] = Tally()
        if former is not None:
            self._due[self._window - 1, key] = former
        return tally

    def _turn(self, window: int) -> None:
        self._former = self._current if window == self._window + 1 else {}
        self._current = {}
        self._window = window
        self._due = {where: tally for where, tally in self._due.items() if where[0] >= window - 1}

    def outstanding(self, most: int = 2000) -> list[Due]:
        """Return, and forget, counts that others do not know, or that are not known of others."""
        wanted = list(islice(self._due, most))
        return [Due(*where, self._due.pop(where)) for where in wanted]

    def give_back(self, dues: list[Due]) -> None:
        """Take back counts that could not be told."""
        for due in dues:
            if due.window >= self._window - 1 and len(self._due) < 2 * self._most:
                self._due.setdefault((due.window, due.key), due.tally)


def whole(seconds: float) -> int:
    """Return the seconds of a wait, none too few, at least one."""
    return max(1, math.ceil(seconds))
