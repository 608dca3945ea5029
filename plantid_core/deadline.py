"""Points in time to keep: a request's own budget, and when a service wants to be asked again."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from plantid_core.errors import DeadlineExceeded, LeaseLost

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_S = 31 * 86_400.0  # a month, which is how long a quota may take to renew


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


def retry_after_s(value: str) -> float | None:
    """Return a Retry-After header's seconds from now, None where it cannot be read."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_S)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return min(max(0.0, (moment - dt.datetime.now(dt.UTC)).total_seconds()), _LONGEST_S)


def to_midnight_s() -> float:
    """Return the seconds until 00:00 UTC, when daily quotas begin anew."""
    now = dt.datetime.now(dt.UTC)
    midnight = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
    return (midnight - now).total_seconds()
