"""What happened lately, and whether it is enough to open a breaker.

A success takes no lock: it is one step of a counter. Rates are worked out only when a call fails or
is slow, from the counter's advance. A window ends when its breaker opens; what then still comes back
from calls begun in it says nothing of the time after.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_BUCKETS = 10
_DEFAULT_CALLS = 100


@dataclass(frozen=True, slots=True)
class Rules:
    """When a breaker opens; seconds, and shares in (0, 1].

    ``fail_max`` failures in a row open it (0: never). ``failure_rate`` and ``slow_rate`` are held
    against the last ``window_calls`` calls, the last ``window_s`` seconds, or both, once there are
    ``minimum_calls``; a call is slow from ``slow_call_s`` on. Raises ValueError for what cannot be.
    """

    fail_max: int = 5
    failure_rate: float | None = None
    slow_rate: float | None = None
    slow_call_s: float | None = None
    window_calls: int | None = None
    window_s: float | None = None
    minimum_calls: int = 10

    def __post_init__(self) -> None:
        for name in ("failure_rate", "slow_rate"):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1; it is {rate:g}")
        for name in ("slow_call_s", "window_calls", "window_s"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0; it is {value:g}")
        if self.fail_max < 0 or self.minimum_calls < 1:
            raise ValueError("fail_max must not be below 0, nor minimum_calls below 1")
        if self.slow_rate is not None and self.slow_call_s is None:
            raise ValueError("slow_rate needs slow_call_s: from how many seconds on a call is slow")
        if not self.fail_max and self.failure_rate is None and self.slow_rate is None:
            raise ValueError("a breaker needs a rule: fail_max, failure_rate or slow_rate")

    @property
    def has_rates(self) -> bool:
        """Tell whether a share of the calls can open the breaker."""
        return self.failure_rate is not None or self.slow_rate is not None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a window holds: failures in a row, and calls, failures and slow calls it remembers."""

    in_a_row: int
    calls: int
    failures: int
    slow: int

    @property
    def failure_rate(self) -> float:
        """Return the share of failures, 0 where there were no calls."""
        return self.failures / self.calls if self.calls else 0.0

    @property
    def slow_rate(self) -> float:
        """Return the share of slow calls, 0 where there were no calls."""
        return self.slow / self.calls if self.calls else 0.0


@dataclass(slots=True)
class _Bucket:
    """A tenth of a time window: the calls before it, and the troubles in it."""

    begins: float
    before: int
    failures: int = 0
    slow: int = 0


class Window:
    """Outcomes of the calls that began in it; ``tick`` counts a call that was neither failed nor slow."""

    __slots__ = (
        "_buckets", "_calls", "_counter", "_failed_at", "_in_a_row", "_lock", "_slow_at", "_span_s",
        "last_success", "roll_at", "rules", "slow_from", "tick",
    )  # fmt: skip

    def __init__(self, rules: Rules, now: float) -> None:
        """Begin at ``now``, seconds of the clock that all later times are of."""
        self.rules = rules
        self.slow_from = math.inf if rules.slow_call_s is None else rules.slow_call_s
        self.last_success = -math.inf
        self._counter = itertools.count()
        self.tick: Callable[[], int] = self._counter.__next__
        self._lock = threading.Lock()
        self._in_a_row: tuple[int, int] = (0, 0)
        self._calls = rules.window_calls
        if rules.window_calls is None and rules.window_s is None:
            self._calls = _DEFAULT_CALLS
        self._failed_at: deque[int] = deque(maxlen=self._calls or 0)
        self._slow_at: deque[int] = deque(maxlen=self._calls or 0)
        self._span_s = 0.0 if rules.window_s is None else rules.window_s / _BUCKETS
        self._buckets = deque([_Bucket(now, 0)], maxlen=_BUCKETS + 1)
        self.roll_at = now + self._span_s if self._span_s else math.inf

    def calls(self) -> int:
        """Return how many calls it has counted."""
        return int(repr(self._counter).removeprefix("count(").removesuffix(")"))

    def succeeded(self, took_s: float, now: float) -> str | None:
        """Count a success; return why that opens the breaker, as a slow one may."""
        with self._lock:
            self._roll(now)
            number = self.tick()
            self.last_success = now
            if took_s < self.slow_from:
                return None
            self._note_slow(number)
            return self._too_many(number, now)

    def failed(self, took_s: float, now: float) -> str | None:
        """Count a failure; return why that opens the breaker, if it does."""
        with self._lock:
            self._roll(now)
            number = self.tick()
            last, run = self._in_a_row
            run = run + 1 if run and number == last + 1 else 1
            self._in_a_row = (number, run)
            self._failed_at.append(number)
            self._buckets[-1].failures += 1
            if took_s >= self.slow_from:
                self._note_slow(number)
            if self.rules.fail_max and run >= self.rules.fail_max:
                return f"{run} failures in a row"
            return self._too_many(number, now)

    def successes_in_a_row(self) -> int:
        """Return how many calls have succeeded since the last failure."""
        last, run = self._in_a_row
        return self.calls() - (last + 1 if run else 0)

    def figures(self, now: float) -> Figures:
        """Return what it holds, of its time window where it has one, else of its last calls."""
        with self._lock:
            last, run = self._in_a_row
            calls = self.calls()
            in_a_row = run if run and last == calls - 1 else 0
            if self._span_s:
                return Figures(in_a_row, *self._of_time(calls, now))
            return Figures(in_a_row, *self._of_calls(calls))

    def _note_slow(self, number: int) -> None:
        self._slow_at.append(number)
        self._buckets[-1].slow += 1

    def _too_many(self, number: int, now: float) -> str | None:
        if not self.rules.has_rates:
            return None
        if self._calls and (why := self._judge(*self._of_calls(number + 1))):
            return why
        return self._judge(*self._of_time(number + 1, now)) if self._span_s else None

    def _judge(self, calls: int, failures: int, slow: int) -> str | None:
        rules = self.rules
        if calls < rules.minimum_calls:
            return None
        if rules.failure_rate is not None and failures / calls >= rules.failure_rate:
            return f"{failures} of {calls} calls failed"
        if rules.slow_rate is not None and slow / calls >= rules.slow_rate:
            return f"{slow} of {calls} calls took {rules.slow_call_s:g} s or more"
        return None

    def _of_calls(self, calls: int) -> tuple[int, int, int]:
        kept = min(calls, self._calls or _DEFAULT_CALLS)
        oldest = calls - kept
        failures = sum(number >= oldest for number in self._failed_at)
        return kept, failures, sum(number >= oldest for number in self._slow_at)

    def _of_time(self, calls: int, now: float) -> tuple[int, int, int]:
        cut = now - self._span_s * _BUCKETS
        # The bucket that the cut goes through counts as a whole.
        live = [bucket for bucket in self._buckets if bucket.begins + self._span_s > cut]
        if not live:
            return 0, 0, 0
        failures, slow = sum(b.failures for b in live), sum(b.slow for b in live)
        return calls - live[0].before, failures, slow

    def _roll(self, now: float) -> None:
        if now < self.roll_at:
            return
        # Calls since the last bucket began, however long ago, are its own.
        self._buckets.append(_Bucket(now, self.calls()))
        self.roll_at = now + self._span_s
