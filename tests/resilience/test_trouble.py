"""The shared cache while its Redis is killed, stopped, robbed or full."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from callers import Held, in_threads
from processes import until

from plantid_core.errors import LeaseLost
from plantid_core.resilience.envelope import Envelope
from plantid_core.resilience.heartbeat import lease_lost

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis
    from servers import Server

    from plantid_core.resilience.cache import Cache

    MakeCache = Callable[..., Cache]

LEASE_S = 0.6
RECOVERY_S = 3.0


def value_in_redis(client: redis.Redis, key: str) -> object:
    blob = client.get(f"{{{key}}}:v")
    envelope = Envelope.unpack(blob) if isinstance(blob, bytes) else None
    assert envelope is not None
    return envelope.value


def tell(client: redis.Redis, *words: str) -> None:
    client.execute_command(*words)  # type: ignore[no-untyped-call]  # the library has no types here


def assert_works(cache: Cache, server: Server) -> None:
    """Send a new value through Redis."""
    assert cache.get("afterwards", lambda: "works").value == "works"
    assert value_in_redis(server.client(), "afterwards") == "works"


def test_a_killed_server_is_done_without(make_cache: MakeCache, server: Server) -> None:
    """Callers get computed values while Redis is dead; once it is back it is used again."""
    cache = make_cache()
    cache.get("before", lambda: 1)

    server.kill()
    found = cache.get("key", lambda: "computed")

    assert (found.value, found.origin) == ("computed", "upstream")
    assert not cache.available()
    assert cache.events()["degraded"] == 1
    server.restart()
    assert until(cache.available, RECOVERY_S)
    assert_works(cache, server)


def test_a_hanging_server_is_done_without(make_cache: MakeCache, server: Server) -> None:
    """A Redis that does not answer costs one timeout, and then nobody waits for it."""
    cache = make_cache()
    cache.get("before", lambda: 1)

    server.stop()
    first = cache.get("key", lambda: "computed")
    began = time.monotonic()
    for number in range(50):
        cache.get(f"k{number}", lambda: "computed")
    spent = time.monotonic() - began
    server.cont()

    assert first.value == "computed"
    assert spent < 2
    assert cache.events()["degraded"] == 51
    assert until(cache.available, RECOVERY_S)
    assert_works(cache, server)


def test_a_server_killed_during_a_computation_costs_no_answer(
    make_cache: MakeCache, server: Server
) -> None:
    """The leader, and those who wait in its process and in another, all get a value."""
    here, there, held = make_cache(lease_s=LEASE_S), make_cache(lease_s=LEASE_S), Held()

    def trouble() -> None:
        assert held.started.wait(5)
        time.sleep(0.2)
        server.kill()
        time.sleep(0.2)
        held.released.set()

    *answers, _ = in_threads(
        lambda: here.get("key", held).value,
        lambda: here.get("key", held).value,
        lambda: held.started.wait(5) and there.get("key", lambda: "other").value,
        trouble,
    )

    assert answers == ["value", "value", "other"]


def test_a_flush_during_a_computation_refuses_the_late_value(
    make_cache: MakeCache, server: Server
) -> None:
    """Who lost the lease to a FLUSHALL returns the newer holder's value, and keeps it."""
    slow, quick, held = make_cache(lease_s=30), make_cache(lease_s=30), Held("late")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(slow.get, "key", held)
        assert held.started.wait(5)

        server.client().flushall()
        newer = quick.get("key", lambda: "newer")
        held.released.set()

        assert newer.value == answer.result(10).value == "newer"
    assert slow.events()["late_commit"] == 1
    assert value_in_redis(server.client(), "key") == "newer"


def test_waiters_survive_a_flush(make_cache: MakeCache, server: Server) -> None:
    """Those who wait when the lease is flushed away get the lease, or the value of who got it."""
    here, there, held = make_cache(lease_s=LEASE_S), make_cache(lease_s=LEASE_S), Held("first")

    def flush() -> None:
        assert held.started.wait(5)
        time.sleep(0.2)
        server.client().flushall()

    def release() -> None:
        assert until(lambda: there.near.peek("key") is not None, 10)
        held.released.set()

    first, *waited = in_threads(
        lambda: here.get("key", held).value,
        *[lambda: held.started.wait(5) and here.get("key", lambda: "second").value] * 3,
        *[lambda: held.started.wait(5) and there.get("key", lambda: "second").value] * 3,
        release,
        flush,
    )

    assert first == "second"
    assert waited[:6] == ["second"] * 6


def test_scripts_that_the_server_forgot_are_sent_again(
    make_cache: MakeCache, server: Server
) -> None:
    """SCRIPT FLUSH is not noticed by anyone."""
    cache = make_cache()
    cache.get("before", lambda: 1)

    server.client().script_flush()

    assert_works(cache, server)
    assert cache.events()["degraded"] == 0


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
def test_killed_connections_are_made_anew(make_cache: MakeCache, server: Server, kind: str) -> None:
    """A waiter in another process is woken by the value, long before it would look for itself."""
    here, there, held = make_cache(lease_s=60), make_cache(lease_s=60), Held()
    for cache in (here, there):
        cache.get("before", lambda: 1)
    admin = server.client()

    def trouble() -> None:
        assert held.started.wait(5)
        time.sleep(0.3)
        tell(admin, "CLIENT", "KILL", "TYPE", kind)
        assert until(lambda: admin.pubsub_numsub("plantid:wake:0")[0][1] == 2)
        held.released.set()

    began = time.monotonic()
    *answers, _ = in_threads(
        lambda: here.get("key", held).value,
        lambda: held.started.wait(5) and there.get("key", lambda: "other").value,
        trouble,
    )

    assert answers == ["value", "value"]
    assert time.monotonic() - began < 10
    assert here.events()["degraded"] == there.events()["degraded"] == 0


def test_a_value_told_while_nobody_listened_is_not_missed(
    make_cache: MakeCache, server: Server
) -> None:
    """A value committed between the loss of the subscription and the next one reaches the waiter."""
    here, there = make_cache(lease_s=60), make_cache(lease_s=60)
    admin = server.client()

    def round_of(number: int) -> list[object]:
        key, held = f"k{number}", Held()

        def trouble() -> None:
            assert held.started.wait(5)
            time.sleep(0.05)
            tell(admin, "CLIENT", "KILL", "TYPE", "pubsub")
            time.sleep(number * 0.002)
            held.released.set()

        return in_threads(
            lambda: here.get(key, held).value,
            lambda: held.started.wait(5) and there.get(key, lambda: "other").value,
            trouble,
        )[:2]

    began = time.monotonic()
    answers = [round_of(number) for number in range(12)]

    assert answers == [["value", "value"]] * 12
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("trouble", "mending"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ],
    ids=["out of memory", "read-only replica"],
)
def test_a_server_that_answers_but_cannot_write_counts_as_down(
    make_cache: MakeCache, server: Server, trouble: tuple[str, ...], mending: tuple[str, ...]
) -> None:
    """Callers are answered, nobody asks Redis until a write succeeds again, and then it is used."""
    cache, admin = make_cache(), server.client()
    cache.get("before", lambda: 1)

    tell(admin, *trouble)
    found = cache.get("key", lambda: "computed")
    time.sleep(0.5)
    still_down = not cache.available()
    tell(admin, *mending)

    assert found.value == "computed"
    assert still_down
    assert cache.events()["degraded"] == 1
    assert until(cache.available, RECOVERY_S)
    assert_works(cache, server)


@pytest.mark.parametrize("foreign", [b"", b"abc", b"foreign bytes, and many of them" * 3])
def test_foreign_bytes_are_a_counted_miss(
    make_cache: MakeCache, server: Server, foreign: bytes
) -> None:
    """What somebody else wrote in our place is counted, recomputed and replaced."""
    cache, client = make_cache(), server.client()
    client.set("{key}:v", foreign)

    found = cache.get("key", lambda: "computed")

    assert found.value == value_in_redis(client, "key") == "computed"
    assert cache.events()["corrupt"] >= 1
    assert cache.events()["degraded"] == 0


def test_a_foreign_type_is_a_miss(make_cache: MakeCache, server: Server) -> None:
    """A list in our place is recomputed and replaced."""
    cache, client = make_cache(), server.client()
    client.rpush("{key}:v", "a", "b")

    found = cache.get("key", lambda: "computed")

    assert found.value == value_in_redis(client, "key") == "computed"
    assert cache.events()["degraded"] == 0


def test_a_computation_that_looks_is_broken_off_when_its_lease_is_lost(
    make_cache: Callable[..., Cache], server: Server
) -> None:
    """It is told so, and its caller goes on to a new computation under a new lease."""
    cache, calls = make_cache(lease_s=0.3), []

    def compute() -> str:
        calls.append(1)
        if len(calls) == 1:
            server.client().delete("{k}:l")
            until(lease_lost, 10)
            raise LeaseLost
        return "leaf"

    assert cache.get("k", compute).value == "leaf"
    assert len(calls) == 2
