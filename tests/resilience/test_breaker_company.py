"""Breakers in company: of other processes, of slow listeners, of each other."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from breaker_callers import Down, Party, epoch, fail, goes_with_the_fleet, through
from processes import until
from pybreaker import CircuitBreakerListener

from plantid_core.resilience import circuit as circuits
from plantid_core.resilience.breaker import Breaker, BreakerOpen
from plantid_core.resilience.circuit import Accusation, Circuit, Timing, stage
from plantid_core.resilience.outcome import IGNORED, Judgement, by_meaning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server


@pytest.fixture
def party(server: Server) -> Iterator[Party]:
    """Return a maker of breakers over the server, each a process of its own to the others."""
    with Party(server) as made:
        yield made


class Slow(CircuitBreakerListener):
    """A listener that takes its time over changes."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.heard: list[str] = []

    def state_change(self, cb: object, old_state: object, new_state: object) -> None:
        del cb, old_state
        self.go_on.wait(20)
        self.heard.append(str(new_state))


def test_a_slow_listener_keeps_no_news_from_others(party: Party) -> None:
    """Neither that of the process that trips, nor that of one which hears of it."""
    slow_here, slow_there = Slow(), Slow()
    trips = party.make(listeners=(slow_here,))
    hears, another = party.make(listeners=(slow_there,)), party.make("another")
    third, source = party.make(), party.make("another")
    tripping = threading.Thread(target=fail, args=(trips,))
    tripping.start()

    assert until(lambda: third.state == "open" and epoch(hears) == 1)
    fail(source)
    assert until(lambda: another.state == "open")

    for slow in (slow_here, slow_there):
        slow.go_on.set()
    tripping.join(20)
    assert until(lambda: slow_here.heard == slow_there.heard == ["open"])


def test_a_newcomer_learns_what_an_emptied_redis_has_forgotten(
    party: Party, server: Server
) -> None:
    """It asks the others before its first call, and one of them writes the circuit again."""
    old = party.make(reset_timeout=600)
    fail(old)
    assert until(lambda: epoch(old) == 1)
    server.client().flushall()

    new = party.make(wait=False)

    assert not through(new)
    assert new.shared is not None
    assert new.shared.until == old.shared.until  # type: ignore[union-attr]


def as_named(error: BaseException, took_s: float) -> Judgement:
    del took_s
    return Judgement(fails=True, open_for_s=getattr(error, "named_s", None))


def left_s(breaker: Breaker) -> float:
    with pytest.raises(BreakerOpen) as refused:
        breaker.call(lambda: 1)
    return refused.value.retry_after_s


def test_a_challenger_that_is_asked_to_wait_waits(party: Party) -> None:
    """The time that the service names to the witness holds for all."""
    bad, good = (party.make(reset_timeout=5, classify=as_named) for _ in range(2))
    for _ in range(5):
        assert through(good)
    fail(bad)
    assert until(lambda: epoch(good) == 1)

    def asked_to_wait() -> None:
        raise Down(300.0)

    with pytest.raises(Down):
        good.call(asked_to_wait)

    assert until(lambda: left_s(bad) > 200)


def test_two_clients_of_one_redis_are_one_member(server: Server) -> None:
    """However many clients and breakers a process has, it listens once."""
    with ExitStack() as stack:
        breakers = [Breaker(f"svc-{n}", client=server.client()) for n in range(5)]
        for breaker in breakers:
            stack.callback(breaker.leave)
        assert until(lambda: all(goes_with_the_fleet(breaker) for breaker in breakers))

        assert server.client().publish("plantid:breakers:0", "") == 1


def test_a_lower_number_of_probes_is_no_dead_end() -> None:
    """A good probe of one who wants three is enough for one who wants one."""
    three, one = Timing(1000, permitted_probes=3, jitter=0), Timing(1000, jitter=0)
    opened = circuits.trip(Circuit(), 0, 0, Accusation("a", "down", 0), three)
    probing = circuits.permit(opened, 1000, "token", three)
    waiting = circuits.probe_succeeded(probing, 1001, 1, "token", three)

    asked = circuits.permit(waiting, 1002, "other", one)

    assert stage(waiting, 1002, three).name == "half-open"
    assert stage(asked, 1002, one).name == "ramp"


@pytest.mark.parametrize("good", [0, 10, 200])
def test_a_service_that_fails_again_on_the_ramp_is_noticed_at_once(good: int) -> None:
    """However well it went before, five failures are enough."""
    now = [0.0]
    breaker = Breaker("svc", fail_max=1, ramp=(0.99,), ramp_s=10, clock=lambda: now[0])
    fail(breaker, 1)
    now[0] = 61.0
    assert through(breaker)
    for _ in range(good):
        through(breaker)

    failures = 0
    while breaker.state == "half-open":
        try:
            breaker.call(lambda: {}["gone"])
        except KeyError:
            failures += 1
        except BreakerOpen:
            continue

    assert 2 <= failures <= 5


def test_a_probe_may_call_through_its_own_breaker() -> None:
    """What a probe's function calls is a part of the probe."""
    now = [0.0]
    breaker = Breaker("svc", fail_max=1, clock=lambda: now[0])
    fail(breaker, 1)
    now[0] = 61.0

    assert breaker.call(lambda: breaker.call(lambda: 7)) == 7

    assert breaker.state == "closed"


def test_anothers_refusal_is_no_failure_of_the_service() -> None:
    """Where a breaker within has refused, nobody was asked."""
    assert by_meaning(BreakerOpen("inner", 3.0), 0.0) == IGNORED


@pytest.mark.parametrize("name", ["", "two\nlines", "\ud800", "nul\0"])
def test_a_name_must_be_one_that_can_be_told(name: str) -> None:
    """It is a part of keys, messages and logs."""
    with pytest.raises(ValueError, match="printable"):
        Breaker(name)
