"""Moments between two steps of the fleet's work, each brought about on purpose."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest
from breaker_callers import Party, epoch, fail, goes_with_the_fleet, through
from processes import until

from plantid_core.resilience import breaker_fleet, circuit
from plantid_core.resilience.breaker import Breaker
from plantid_core.resilience.breaker_fleet import Share
from plantid_core.resilience.circuit import Accusation, Circuit, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server


@pytest.fixture
def party(server: Server) -> Iterator[Party]:
    """Return a maker of breakers over the server, each a process of its own to the others."""
    with Party(server) as made:
        yield made


class _OneRedis:
    """A fleet whose Redis is a dictionary of one."""

    def __init__(self) -> None:
        self.blob = b""
        self.clock = breaker_fleet.FleetClock()

    def compare_and_set(self, key: str, name: str, expected: bytes, wanted: bytes) -> bytes | None:
        del key, name
        if self.blob != expected:
            return self.blob
        self.blob = wanted
        return None


class _Slow(Circuit):
    """A circuit in whose comparison another thread gets its turn."""

    meanwhile = staticmethod(lambda: None)

    def __ne__(self, other: object) -> bool:
        self.meanwhile()
        return True

    __eq__ = object.__eq__
    __hash__ = None  # type: ignore[assignment]


def test_a_change_amid_anothers_news_overwrites_nothing() -> None:
    """A permit that was handed out while news arrive is not handed out a second time."""
    import orjson

    class Deaf:
        def hear(self, told: Circuit | None) -> None:
            """Hear nothing."""

    timing, redis, deaf = Timing(1000.0), _OneRedis(), Deaf()
    share = Share(redis, "svc", weakref.WeakMethod(deaf.hear))  # type: ignore[arg-type]
    start = Circuit(epoch=1, version=1, phase="open", strikes=1)
    redis.blob = orjson.dumps(start)
    share.take(redis.blob, start)
    theirs = circuit.permit(start, share.now(), "theirs", timing)
    redis.blob = orjson.dumps(theirs)
    slow = _Slow(**{name: getattr(theirs, name) for name in Circuit.__dataclass_fields__})
    asked: list[Circuit] = []

    def ask() -> None:
        asked.append(share.change(lambda c, now: circuit.permit(c, now, "ours", timing)))

    def meanwhile() -> None:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(0.3)

    _Slow.meanwhile = staticmethod(meanwhile)
    share.take(redis.blob, slow)
    until(lambda: bool(asked))
    found = breaker_fleet.read(redis.blob)

    assert found is not None
    assert [token for token, _ in found.permits] == ["theirs"]


def test_an_older_process_hears_a_newer_one_after_a_flush(party: Party, server: Server) -> None:
    """FLUSHALL while closed: a process that starts after it can still open it for everybody."""
    old = party.make()
    for _ in range(2):
        old.open()
        old.close()
    server.client().flushall()
    new = party.make()

    fail(new)

    assert until(lambda: old.state == "open", 2)


def test_the_second_breaker_of_a_process_knows_before_its_first_call(
    party: Party, server: Server
) -> None:
    """It joins a connection that is up, and still asks what is open before it lets a call through."""
    elsewhere = [party.make(f"svc{number}") for number in range(10)]
    for breaker in elsewhere:
        fail(breaker)
    assert until(lambda: all(epoch(breaker) for breaker in elsewhere))
    client = server.client()
    first = Breaker("first", client=client)
    assert until(lambda: goes_with_the_fleet(first))

    let_through = []
    for number in range(10):
        second = Breaker(f"svc{number}", client=client, fail_max=2)
        let_through.append(through(second))
        second.leave()
    first.leave()

    assert not any(let_through)


def test_breakers_that_are_forgotten_stick_nowhere(server: Server) -> None:
    """Python may collect a breaker at any moment, also amid the making of another."""
    code = f"""
import gc
from plantid_core.resilience.breaker import Breaker
from plantid_core.store.connection import connect
client = connect({server.url!r})
kept = Breaker("kept", client=client)
gc.set_threshold(1)
for number in range(300):
    Breaker("svc", client=client)
"""
    finished = subprocess.run([sys.executable, "-c", code], timeout=15, check=False)

    assert finished.returncode == 0


def test_a_breaker_that_has_tripped_can_be_forgotten(server: Server) -> None:
    """No thread keeps it once its trip is told, and its connection ends with it."""

    def one_that_tripped() -> weakref.ref[Breaker]:
        breaker = Breaker("svc", client=server.client(), fail_max=2)
        assert until(lambda: goes_with_the_fleet(breaker))
        fail(breaker)
        assert until(lambda: epoch(breaker) == 1)
        return weakref.ref(breaker)

    node = one_that_tripped()

    def gone() -> bool:
        gc.collect()
        return node() is None

    assert until(gone, 1)


def test_a_mode_it_was_made_with_outlasts_the_fleets_news(party: Party) -> None:
    """A breaker made to count only lets calls through, whatever the others do."""
    counting, other = party.make(mode="metrics-only"), party.make()

    fail(other)
    assert until(lambda: epoch(counting) == 1)

    assert counting.mode == "metrics-only"
    assert through(counting)


def test_close_ends_no_mode_of_a_local_breaker() -> None:
    """close() closes; what is forced stays forced until force("auto")."""
    breaker = Breaker("svc")
    breaker.force("forced-open")

    breaker.close()

    assert breaker.mode == "forced-open"


def test_close_ends_no_mode_of_the_fleet(party: Party) -> None:
    """The same of a shared one."""
    one, other = party.make(), party.make()
    one.force("forced-open")
    assert until(lambda: other.mode == "forced-open")

    other.close()

    assert until(lambda: epoch(one) == 0)
    assert (one.mode, other.mode) == ("forced-open", "forced-open")


def test_a_mode_forced_without_redis_outlasts_its_return(party: Party, server: Server) -> None:
    """Forced open while Redis is away, it is not let go by what Redis then tells."""
    one, other = party.make(), party.make()
    fail(other)
    assert until(lambda: epoch(one) == 1)
    server.kill()
    assert until(lambda: not goes_with_the_fleet(one))

    one.force("forced-open")
    server.restart()
    assert until(lambda: goes_with_the_fleet(one), 6)
    time.sleep(0.1)

    assert one.mode == "forced-open"


def test_a_confirmed_opening_is_not_overruled() -> None:
    """A second accuser, or the service's own word, outweighs a challenge that was under way."""
    timing = Timing(1000.0)
    opened = circuit.trip(Circuit(), 0, 0, Accusation("a", "down", 0), timing)
    challenged = circuit.challenge(opened, 1, "c", "token", timing)
    joined = circuit.trip(challenged, 2, 0, Accusation("b", "down", 0), timing)
    assert joined.confirmed

    found = circuit.overrule(joined, 3, "token", timing)

    assert circuit.stage(found, 3, timing).name == "open"


def test_one_good_probe_counts_once(party: Party) -> None:
    """A success that is sent again, since its answer was lost, is not a second probe."""
    del party
    timing = Timing(1000.0, permitted_probes=2)
    opened = circuit.trip(Circuit(), 0, 0, Accusation("a", "down", 0), timing)
    held = circuit.permit(opened, 2000, "token", timing)

    once = circuit.probe_succeeded(held, 2001, 1, "token", timing)
    twice = circuit.probe_succeeded(once, 2002, 1, "token", timing)

    assert circuit.stage(twice, 2003, timing).name == "half-open"


def test_close_reaches_a_process_that_goes_by_its_own(party: Party, server: Server) -> None:
    """What opened in one process while Redis was away is closed by another's close(), too."""
    one, other = party.make(), party.make()
    server.kill()
    assert until(lambda: not goes_with_the_fleet(one))
    fail(one)
    server.restart()
    assert until(lambda: goes_with_the_fleet(one) and goes_with_the_fleet(other), 6)

    other.close()

    assert until(lambda: one.state == "closed", 2)
