"""A virtual clock, and callers on it: each runs real, blocking code in a greenlet of its own.

Only one runs at a time, and only waiting lets time pass; so a run is exact, repeatable, and as fast
as its events are few.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

import greenlet
from greenlet._greenlet import enable_optional_cleanup

if TYPE_CHECKING:
    from collections.abc import Callable

# Far from 0, as every clock is; near enough for a double to tell nanoseconds apart.
EPOCH_S = 1e6

# When a thread ends, greenlet asks the collector who refers to the thread's main greenlet, and frees it
# if nobody does. A clock of that thread refers to it, and while the collector is at work with the clock
# it names nobody: the process died of the freed one. What is leaked without it is one small object a thread.
enable_optional_cleanup(False)  # noqa: FBT003 - it takes no keyword


class Clock:
    """Virtual seconds. `sleep` may be called by whatever `spawn` runs."""

    def __init__(self) -> None:
        self.now = EPOCH_S
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._hub = greenlet.getcurrent()
        self._callers: set[greenlet.greenlet] = set()
        self._closed = False

    def at(self, when: float, work: Callable[[], object]) -> None:
        """Have work done at a time; it must not wait."""
        heapq.heappush(self._events, (max(when, self.now), next(self._order), work))

    def spawn(self, when: float, work: Callable[[], object]) -> None:
        """Have work begun at a time; it may wait."""
        self.at(when, lambda: self.begin(work))

    def begin(self, work: Callable[[], object]) -> None:
        """Have work begun now, by a caller of its own, until it waits for the first time."""

        def whole() -> None:
            try:
                work()
            finally:
                self._callers.discard(caller)

        caller = greenlet.greenlet(whole, self._hub)
        self._callers.add(caller)
        caller.switch()

    def sleep(self, seconds: float) -> None:
        """Let so much time pass for who calls."""
        if self._closed:
            raise greenlet.GreenletExit
        if seconds > 0:
            self.at(self.now + seconds, greenlet.getcurrent().switch)
            self._hub.switch()

    def pause(self) -> Callable[[], None]:
        """Return what wakes the caller, who then calls `rest` to be woken."""
        sleeper = greenlet.getcurrent()
        return lambda: self.at(self.now, sleeper.switch)

    def rest(self) -> None:
        """Wait to be woken by what `pause` returned."""
        if self._closed:
            raise greenlet.GreenletExit
        self._hub.switch()

    def close(self) -> None:
        """End whoever still waits: of a run that was broken off, nothing is to go on by itself later."""
        self._closed = True
        self._events.clear()
        for caller in list(self._callers):
            caller.throw()

    def run(self, until: float) -> None:
        """Let everything happen that is due up to a time."""
        self._hub = greenlet.getcurrent()
        while self._events and self._events[0][0] <= until:
            self.now, _, work = heapq.heappop(self._events)
            work()
        self.now = max(self.now, until)

    def drain(self, latest: float) -> bool:
        """Let everything happen that still will; False where it would last beyond ``latest``."""
        self._hub = greenlet.getcurrent()
        while self._events:
            if self._events[0][0] > latest:
                return False
            self.now, _, work = heapq.heappop(self._events)
            work()
        return True


class VirtualLock:
    """`threading.Lock` on a virtual clock: first come, first served; ``wake_s`` to wake the next."""

    def __init__(self, clock: Clock, wake_s: Callable[[], float]) -> None:
        self._clock, self._wake_s = clock, wake_s
        self._taken = False
        self._waiting: list[_Waiter] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - threading's
        """Take it, within so many seconds (-1: without a limit)."""
        if not self._taken:
            self._taken = True
            return True
        if not blocking:
            return False
        waiter = _Waiter(self._clock.pause())
        self._waiting.append(waiter)
        if timeout >= 0:
            self._clock.at(self._clock.now + timeout, lambda: self._give_up(waiter))
        self._clock.rest()
        return waiter.taken

    def release(self) -> None:
        """Give it to whoever waits longest."""
        if not self._taken:
            raise RuntimeError("release unlocked lock")
        if not self._waiting:
            self._taken = False
            return
        waiter = self._waiting.pop(0)
        waiter.taken = True
        clock, pause = self._clock, self._wake_s()
        clock.at(clock.now + pause, waiter.wake)

    def locked(self) -> bool:
        """Tell whether it is taken."""
        return self._taken

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            waiter.wake()


class VirtualRLock:
    """`threading.RLock` on a virtual clock, for use in a ``with``: its holder may take it again."""

    def __init__(self, clock: Clock, wake_s: Callable[[], float]) -> None:
        self._lock, self._depth = VirtualLock(clock, wake_s), 0
        self._holder: greenlet.greenlet | None = None

    def __enter__(self) -> None:
        me = greenlet.getcurrent()
        if self._holder is not me:
            self._lock.acquire()
            self._holder = me
        self._depth += 1

    def __exit__(self, *exc: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._holder = None
            self._lock.release()


class _Waiter:
    """One who waits, how to wake it, and whether it got the lock."""

    __slots__ = ("taken", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake, self.taken = wake, False
