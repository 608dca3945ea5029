"""A circuit breaker for one service: after some failures in a row it is left alone for a while.

States and the error are pybreaker's; its lock is not held while the call runs, so that callers do
not queue behind each other. Decisions are this process's own.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

from pybreaker import CircuitBreakerError

from plantid_core.resilience.outcome import by_meaning

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.outcome import Judgement

P = ParamSpec("P")
T = TypeVar("T")

State = Literal["closed", "open", "half-open"]


class BreakerOpen(CircuitBreakerError):
    """The call was refused; ``retry_after_s`` is when the next one may be let through."""

    def __init__(self, name: str, retry_after_s: float) -> None:
        super().__init__(name, retry_after_s)
        self.name, self.retry_after_s = name, retry_after_s

    def __str__(self) -> str:
        return f"{self.name} is left alone after failures; ask again in {self.retry_after_s:.1f} s."


class Breaker:
    """Opens after ``fail_max`` failures in a row, for ``reset_timeout`` seconds; then one call probes.

    ``classify`` tells which errors speak against the service. The caller whose failure opens it
    gets its own error; later ones get pybreaker's `CircuitBreakerError` at once.
    """

    def __init__(
        self,
        name: str,
        *,
        fail_max: int = 5,
        reset_timeout: float = 60.0,
        classify: Callable[[BaseException, float], Judgement] = by_meaning,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.fail_max, self.reset_timeout = name, fail_max, reset_timeout
        self._classify, self._clock = classify, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._opens_until: float | None = None
        self._probing = False

    @property
    def state(self) -> State:
        """Return ``closed``, ``open`` or ``half-open`` (the next call is, or is being, a probe)."""
        until = self._opens_until
        if until is None:
            return "closed"
        return "open" if self._clock() < until else "half-open"

    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function, unless the breaker is open; raises `CircuitBreakerError` where it is."""
        probes = self._admit()
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            self._ended(probes=probes, failed=self._classify(error, 0.0).fails)
            raise
        self._ended(probes=probes, failed=False)
        return result

    def check(self) -> None:
        """Raise `BreakerOpen` where a call made now would surely be refused; takes no permit."""
        until = self._opens_until
        if until is not None and (left := until - self._clock()) > 0:
            raise BreakerOpen(self.name, left)

    def open(self) -> None:
        """Open it now, for its usual time."""
        with self._lock:
            self._opens_until = self._clock() + self.reset_timeout

    def close(self) -> None:
        """Close it now, and forget its failures."""
        with self._lock:
            self._opens_until, self._failures = None, 0

    def _admit(self) -> bool:
        return self._opens_until is not None and self._probe()

    def _probe(self) -> bool:
        with self._lock:
            until = self._opens_until
            if until is None:
                return False
            if self._clock() < until or self._probing:
                raise BreakerOpen(self.name, max(0.0, until - self._clock()))
            self._probing = True
            return True

    def _ended(self, *, probes: bool, failed: bool) -> None:
        if not failed and not probes and not self._failures:
            return
        with self._lock:
            if probes:
                self._probing = False
            if not failed:
                self._failures = 0
                if probes:
                    self._opens_until = None
                return
            self._failures += 1
            if probes or (self._failures >= self.fail_max and self._opens_until is None):
                self._opens_until = self._clock() + self.reset_timeout
