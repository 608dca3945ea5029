"""Both kinds of lock, over one server, whose holders die."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeAlias

import pytest
from callers import Callers, Job

from plantid_core.errors import LockLost, LockNotAcquired
from plantid_core.resilience.locks import RedisLock
from plantid_core.resilience.redlock import Masters, Redlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server

    from plantid_core.resilience.locks import Lock

MakeLock: TypeAlias = "Callable[..., Lock]"


@pytest.fixture(params=["RedisLock", "Redlock"])
def make_lock(request: pytest.FixtureRequest, server: Server) -> MakeLock:
    """Return a maker of locks of either kind, over the one server."""
    client = server.client()
    quorum = Masters([client])

    def make(name: str = "name", **options: object) -> Lock:
        if request.param == "RedisLock":
            return RedisLock(client, name, **options)  # type: ignore[arg-type]
        return Redlock(quorum, name, **options)  # type: ignore[arg-type]

    return make


def keys_of(name: str) -> list[str]:
    return [f"lock:{name}", f"redlock:{name}"]


def test_one_at_a_time(make_lock: MakeLock) -> None:
    """While it is held nobody else gets it; afterwards the next one does."""
    other = make_lock()

    with make_lock():
        refused = not other.acquire(blocking=False)

    assert refused
    assert other.acquire(blocking=False)
    other.release()


def test_a_held_lock_is_not_waited_for_longer_than_asked(make_lock: MakeLock) -> None:
    """The ``with`` raises when its time is over, and the work in it is not done."""
    with make_lock():
        began = time.monotonic()
        with pytest.raises(LockNotAcquired, match="'name'") as caught, make_lock(timeout_s=0.3):
            pass
        assert not make_lock().acquire(timeout_s=0.1)

    assert 0.3 <= caught.value.waited_s <= time.monotonic() - began < 3


def test_a_waiter_gets_the_lock_when_it_is_given_back(make_lock: MakeLock) -> None:
    """A release is noticed at once, not at the expiry."""
    first = make_lock(expire_s=30)
    first.acquire()
    threading.Timer(0.2, first.release).start()

    began = time.monotonic()
    with make_lock(timeout_s=10):
        waited = time.monotonic() - began

    assert 0.1 < waited < 3


def test_renewal_keeps_a_lock_beyond_its_expiry(make_lock: MakeLock) -> None:
    """A living holder keeps its lock for as long as it works."""
    with make_lock(expire_s=1) as held:
        time.sleep(1.6)

        assert not make_lock().acquire(blocking=False)
        assert not held.lost


def test_without_renewal_a_lock_expires(make_lock: MakeLock) -> None:
    """Who does not renew loses the lock, is told so at the release, and does the winner no harm."""
    slow, next_one = make_lock(expire_s=1, auto_renewal=False), make_lock()
    slow.acquire()

    assert next_one.acquire(timeout_s=3)
    with pytest.raises(LockLost, match="'name'"):
        slow.release()

    assert not make_lock().acquire(blocking=False)
    next_one.release()


def test_a_lost_lock_is_told_at_once(make_lock: MakeLock, server: Server) -> None:
    """The renewer finds a vanished lock, tells the holder, and so does the release."""
    told = threading.Event()

    held = make_lock(expire_s=1, on_lost=told.set)
    held.acquire()

    server.client().delete(*keys_of("name"))

    assert told.wait(3)
    assert held.lost
    with pytest.raises(LockLost):
        held.release()


def test_an_error_in_the_work_is_not_hidden_by_the_loss(
    make_lock: MakeLock, server: Server
) -> None:
    """Where the work failed and the lock is lost too, the work's error is raised."""

    def work() -> float:
        with make_lock():
            return 1 / server.client().delete(*keys_of("name")) - 1 / 0

    with pytest.raises(ZeroDivisionError):
        work()


def test_strangers_keys_are_left_alone(make_lock: MakeLock, server: Server) -> None:
    """Taking, contending for and giving back one lock touches no other key."""
    client = server.client()
    strangers = {b"lock:other": b"1", b"lock-signal:other": b"2", b"redlock:other": b"3"}
    client.mset({**strangers, b"name": b"4"})

    with make_lock(expire_s=1):
        make_lock().acquire(timeout_s=0.1)

    kept = {key: client.get(key) for key in (*strangers, b"name")}
    assert kept == {**strangers, b"name": b"4"}
    assert not client.exists(*keys_of("name"))


def test_a_lock_knows_its_owner(server: Server) -> None:
    """Everyone can ask who holds the lock, and compare it with their own id."""
    client = server.client()
    mine, other = RedisLock(client, "name"), RedisLock(client, "name")

    free = mine.owner
    with mine:
        assert other.owner == mine.id != other.id
    assert free is None is mine.owner


def test_a_dead_holders_lock_is_free_after_its_expiry(server: Server) -> None:
    """A waiter that came while the holder lived gets the lock soon after the holder was killed."""
    job = Job(server.url, key="name", outcome="hold", compute_s=60, lease_s=1)
    with Callers(job) as holder:
        holder.until("holding")
        time.sleep(1.2)
        waiter = RedisLock(server.client(), "name")
        refused = not waiter.acquire(timeout_s=0.1)

        killing = threading.Timer(0.2, holder.process.kill)
        killing.start()
        got = waiter.acquire(timeout_s=4)
        killing.join()

    assert refused
    assert got
    waiter.release()
