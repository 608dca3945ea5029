"""Threads set apart for some routes, so that those of other routes never wait for theirs."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, TypeVar

from anyio import CapacityLimiter, to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Lane:
    """At most ``threads`` jobs at once, and ``waiting`` (None: any number) that wait for a thread."""

    def __init__(self, threads: int, waiting: int | None = None) -> None:
        self._threads, self._waiting = threads, waiting

    @functools.cached_property
    def _limiter(self) -> CapacityLimiter:
        return CapacityLimiter(self._threads)  # belongs to the loop that asks first

    def full(self) -> bool:
        """Tell whether every thread is taken, and as many wait as may."""
        if self._waiting is None or self._limiter.borrowed_tokens < self._threads:
            return False
        return self._limiter.statistics().tasks_waiting >= self._waiting

    async def run(self, job: Callable[[], T]) -> T:
        """Return what the job returns, on a thread of this lane."""
        return await to_thread.run_sync(job, limiter=self._limiter)
