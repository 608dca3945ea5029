"""One retrier: only where the service cannot have counted the call, and never many.

A retry spends what calls have put aside, so that retries stay below a share of all calls however
much fails. Waits have full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import stamina
from stamina.instrumentation import set_on_retry_hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from plantid_core.deadline import Deadline

P = ParamSpec("P")
T = TypeVar("T")

_UNIT = 1000  # thousandths of a retry: whole numbers add up without an error


class RetryBudget:
    """Retries that may be made: ``ratio`` a call, ``most`` put aside, none to begin with."""

    def __init__(self, ratio: float = 0.1, most: int = 10) -> None:
        self._deposit = round(ratio * _UNIT)
        self._most = most * _UNIT
        self._balance = 0
        self._lock = threading.Lock()
        self.retries = 0
        self.refused = 0

    def deposit(self) -> None:
        """Put a call's share aside."""
        with self._lock:
            self._balance = min(self._most, self._balance + self._deposit)

    def withdraw(self) -> bool:
        """Take one retry; False where too few calls have paid for it."""
        with self._lock:
            if self._balance < _UNIT:
                self.refused += 1
                return False
            self._balance -= _UNIT
            self.retries += 1
            return True


def uncounted(error: Exception) -> bool:
    """Tell whether the service cannot have counted the call, and named no time to come back at."""
    return bool(getattr(error, "uncounted", False)) and not getattr(error, "retry_after_s", None)


class Retrier:
    """Calls again after an error that is ``retriable``, as long as budget and deadline allow.

    Before attempt n + 1 it waits for a time uniform in 0…min(``cap_s``, ``base_s`` · 2ⁿ⁻¹).
    """

    def __init__(
        self,
        budget: RetryBudget,
        *,
        attempts: int = 2,
        base_s: float = 0.1,
        cap_s: float = 2.0,
        rng: np.random.Generator,
        retriable: Callable[[Exception], bool] = uncounted,
    ) -> None:
        self.budget = budget
        self._attempts, self._base_s, self._cap_s = attempts, base_s, cap_s
        self._rng, self._drawing = rng, threading.Lock()
        self._retriable = retriable
        # By default it would print a warning a retry, which the trace and the counts tell already.
        set_on_retry_hooks(())

    def call(
        self, func: Callable[P, T], deadline: Deadline, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Return what ``func(*args)`` returns; raises the last attempt's own error."""
        self.budget.deposit()
        made = 0

        def wait_or_stop(error: Exception) -> bool | float:
            if made >= self._attempts or not self._retriable(error):
                return False
            wait = self._draw(made)
            return wait if wait < deadline.remaining() and self.budget.withdraw() else False

        for attempt in stamina.retry_context(
            on=wait_or_stop, attempts=self._attempts, timeout=None
        ):
            with attempt:
                made += 1
                return func(*args, **kwargs)
        raise AssertionError("the last attempt returns or raises")

    def _draw(self, made: int) -> float:
        # A generator of numpy's is not safe to draw from in two threads at once.
        with self._drawing:
            return float(self._rng.uniform(0, min(self._cap_s, self._base_s * 2 ** (made - 1))))
