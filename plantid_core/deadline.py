"""One time budget for a whole request, passed down as the time that remains."""

from __future__ import annotations

import time
from dataclasses import dataclass

from plantid_core.errors import DeadlineExceeded


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on the monotonic clock, and the budget (seconds) it was made from."""

    at: float
    budget_s: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline ``seconds`` from now."""
        return cls(time.monotonic() + seconds, seconds)

    def remaining(self) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())

    def require(self) -> float:
        """Return the seconds left; raises `DeadlineExceeded` when there are none."""
        left = self.remaining()
        if left <= 0.0:
            raise DeadlineExceeded(self.budget_s)
        return left
