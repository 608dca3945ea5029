"""Single-flight in one process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from plantid_core.deadline import Deadline
from plantid_core.errors import DeadlineExceeded
from plantid_core.resilience.flight import Flights

CALLERS = 50


def gather(flights: Flights[int], compute: object) -> list[object]:
    """Send 50 callers through one key while its computation is held; return what each got."""
    arrived, release, calls = threading.Semaphore(0), threading.Event(), []

    def held() -> int:
        calls.append(1)
        release.wait(30)
        return compute()  # type: ignore[operator]

    def caller() -> object:
        arrived.release()
        try:
            return flights.join("key", held, Deadline.after(30))
        except ValueError as error:
            return error

    with ThreadPoolExecutor(CALLERS) as pool:
        futures = [pool.submit(caller) for _ in range(CALLERS)]
        for _ in range(CALLERS):
            arrived.acquire()
        release.set()
        results = [future.result() for future in futures]
    return [len(calls), *results]


def test_waiters_share_one_result() -> None:
    """Everyone who waits gets the leader's value."""
    _, *results = gather(Flights(), lambda: 42)

    assert results == [42] * CALLERS


def test_waiters_share_the_leaders_error() -> None:
    """Everyone who waits fails with the leader's own error."""
    error = ValueError("no")

    def fail() -> int:
        raise error

    calls, *results = gather(Flights(), fail)

    assert calls <= CALLERS
    assert set(results) == {error}


def test_a_landed_flight_is_forgotten() -> None:
    """The next caller computes anew: a flight is no cache."""
    flights: Flights[int] = Flights()
    values = iter([1, 2])

    first = flights.join("key", lambda: next(values), Deadline.after(5))
    second = flights.join("key", lambda: next(values), Deadline.after(5))

    assert (first, second) == (1, 2)


def test_a_waiter_leaves_at_its_own_deadline() -> None:
    """A caller with little time does not wait for another's long computation."""
    flights: Flights[int] = Flights()
    started, release = threading.Event(), threading.Event()

    def slow() -> int:
        started.set()
        release.wait(30)
        return 1

    leader = threading.Thread(target=flights.join, args=("key", slow, Deadline.after(30)))
    leader.start()
    started.wait(30)
    try:
        with pytest.raises(DeadlineExceeded):
            flights.join("key", slow, Deadline.after(0.05))
    finally:
        release.set()
        leader.join()
