"""A bound on what one service may occupy here: so many calls at once, so many that wait."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.errors import BulkheadFull

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.deadline import Deadline

_LOOK_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class BulkheadUse:
    """Slots in use and callers waiting now, the most ever in use, and callers turned away."""

    in_use: int
    waiting: int
    most_in_use: int
    shed: int


class Bulkhead:
    """``size`` slots and a queue of ``queue`` callers, who get a slot in any order."""

    def __init__(self, name: str, size: int, queue: int) -> None:
        self.name, self.size, self.queue = name, size, queue
        self.forked()
        _BULKHEADS.add(self)

    def forked(self) -> None:
        """Begin with nobody inside: in a child, those who hold a slot are the parent's."""
        self._freed = threading.Condition(threading.Lock())
        self._in_use = self._waiting = self._most = self._shed = 0

    @contextmanager
    def slot(self, deadline: Deadline) -> Iterator[None]:
        """Hold a slot; raises `BulkheadFull` at once where too many wait, `DeadlineExceeded` later."""
        with self._freed:
            if self._in_use >= self.size:
                self._wait(deadline)
            self._in_use += 1
            self._most = max(self._most, self._in_use)
        try:
            yield
        finally:
            with self._freed:
                self._in_use -= 1
                self._freed.notify()

    def _wait(self, deadline: Deadline) -> None:
        if self._waiting >= self.queue:
            self._shed += 1
            raise BulkheadFull(self.name, self.size, self._waiting)
        self._waiting += 1
        try:
            while self._in_use >= self.size:
                # The work may have become unwanted meanwhile, which nobody wakes us for.
                self._freed.wait(min(_LOOK_AGAIN_S, deadline.require()))
        except BaseException:
            # The wake-up that this caller may have taken is another's now.
            self._freed.notify()
            raise
        finally:
            self._waiting -= 1

    def turn_away(self) -> None:
        """Count a caller as shed who was turned away before the queue."""
        with self._freed:
            self._shed += 1

    def use(self) -> BulkheadUse:
        """Return how full it is."""
        with self._freed:
            return BulkheadUse(self._in_use, self._waiting, self._most, self._shed)


_BULKHEADS: weakref.WeakSet[Bulkhead] = weakref.WeakSet()


def _after_fork() -> None:
    for bulkhead in list(_BULKHEADS):
        bulkhead.forked()


os.register_at_fork(after_in_child=_after_fork)
