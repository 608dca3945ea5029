"""One time budget for a whole request, passed down as the time that remains."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import DeadlineExceeded, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock, and the budget (seconds) it was made from.

    ``cancelled`` tells whether the work is no longer wanted, however much time is left.
    """

    at: float
    budget_s: float
    cancelled: Callable[[], bool] | None = None

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline ``seconds`` from now."""
        return cls(time.monotonic() + seconds, seconds)

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())

    def require(self) -> float:
        """Return the seconds left; raises `DeadlineExceeded` when there are none.

        Raises `LeaseLost` where the work is no longer wanted.
        """
        if self.cancelled is not None and self.cancelled():
            raise LeaseLost
        left = self.remaining()
        if left <= 0.0:
            raise DeadlineExceeded(self.budget_s)
        return left
