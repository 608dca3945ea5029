"""Single-flight: of all threads that want one key at once, one works and all get its result.

The flight leaves the table before anyone is woken, so a value is never handed to a caller that came
after it was made (the term is Go's ``x/sync/singleflight``). Those who wait queue at one lock, which
the first to get it hands on like a baton: half a thousand threads are woken as fast as the
interpreter can switch between them, where an event would wake them all to fight for it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from plantid_core.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.deadline import Deadline
    from plantid_core.resilience.ground import Baton

T = TypeVar("T")


class Flight(Generic[T]):
    """One computation under way: then a result, an error, or neither (abandoned: ask again)."""

    __slots__ = ("baton", "error", "landed", "result")

    def __init__(self) -> None:
        # Made by the table for the first who joins; most flights land alone.
        self.baton: Baton | None = None
        self.landed = False
        self.result: T | None = None
        self.error: BaseException | None = None

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for the landing; False where it did not come within the time (None: no limit)."""
        baton = self.baton
        if baton is None:
            return self.landed
        if not baton.acquire(timeout=-1 if timeout_s is None else timeout_s):
            return self.landed
        baton.release()
        return True

    def land(self, result: T | None, error: BaseException | None) -> None:
        """Set the outcome and wake all; done by the table alone, once."""
        self.result, self.error, self.landed = result, error, True
        if self.baton is not None:
            self.baton.release()


class Flights(Generic[T]):
    """The flights under way in this process. ``enter`` and ``land`` never wait."""

    def __init__(self, make_baton: Callable[[], Baton] = threading.Lock) -> None:
        self._under_way: dict[str, Flight[T]] = {}
        self._make_baton = make_baton
        self._lock = threading.Lock()

    def enter(self, key: str) -> tuple[Flight[T], bool]:
        """Return the key's flight, and whether the caller leads it and so must land it."""
        with self._lock:
            flight = self._under_way.get(key)
            if flight is not None:
                if flight.baton is None:
                    flight.baton = self._make_baton()
                    flight.baton.acquire()
                return flight, False
            flight = self._under_way[key] = Flight()
            return flight, True

    def land(
        self, key: str, flight: Flight[T], result: T | None, error: BaseException | None = None
    ) -> bool:
        """End the flight; False where it had ended. No result and no error: those who wait ask anew.

        A flight of the same key that began later is not touched.
        """
        with self._lock:
            if flight.landed:
                return False
            if self._under_way.get(key) is flight:
                del self._under_way[key]
            flight.land(result, error)
            return True

    def join(self, key: str, compute: Callable[[], T], deadline: Deadline) -> T:
        """Return what ``compute`` returns, calling it unless a flight for ``key`` is under way.

        Raises what ``compute`` raises, in every caller; raises `DeadlineExceeded` in a caller whose
        own deadline passes while it waits for another's flight.
        """
        flight, leads = self.enter(key)
        if leads:
            return self._fly(key, flight, compute)
        if not flight.wait(deadline.require()):
            raise DeadlineExceeded(deadline.budget_s)
        if flight.error is not None:
            raise flight.error
        return flight.result  # type: ignore[return-value]  # a landed flight without error has one

    def _fly(self, key: str, flight: Flight[T], compute: Callable[[], T]) -> T:
        try:
            value = compute()
        except BaseException as error:
            self.land(key, flight, None, error)
            raise
        self.land(key, flight, value)
        return value
