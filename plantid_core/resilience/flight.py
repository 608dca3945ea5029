"""Single-flight: of all threads that want one key at once, one computes and all get its result.

The flight holds a result or an exception and leaves the table before anyone is woken, so a value
is never handed to a caller that came after it was made (the term is Go's ``x/sync/singleflight``).
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING, Generic, TypeVar

from plantid_core.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.deadline import Deadline

T = TypeVar("T")


class Flights(Generic[T]):
    """The flights under way in this process."""

    def __init__(self) -> None:
        self._under_way: dict[str, Future[T]] = {}
        self._lock = threading.Lock()

    def join(self, key: str, compute: Callable[[], T], deadline: Deadline) -> T:
        """Return what ``compute`` returns, calling it unless a flight for ``key`` is under way.

        Raises what ``compute`` raises, in every caller; raises `DeadlineExceeded` in a caller whose
        own deadline passes while it waits for another's flight.
        """
        with self._lock:
            flight = self._under_way.get(key)
            leads = flight is None
            if flight is None:
                flight = self._under_way[key] = Future()
        if leads:
            self._fly(key, flight, compute)
        try:
            return flight.result(None if leads else deadline.require())
        except FutureTimeout:
            if flight.done():  # the computation itself raised a TimeoutError
                raise
            raise DeadlineExceeded(deadline.budget_s) from None

    def _fly(self, key: str, flight: Future[T], compute: Callable[[], T]) -> None:
        try:
            value = compute()
        except BaseException as error:  # noqa: BLE001 - whatever it was, those who wait must learn it
            self._land(key, flight)
            flight.set_exception(error)
        else:
            self._land(key, flight)
            flight.set_result(value)

    def _land(self, key: str, flight: Future[T]) -> None:
        with self._lock:
            if self._under_way.get(key) is flight:
                del self._under_way[key]
