"""A shared breaker in a forked child, and alerts over a whole fleet."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from breaker_callers import Party, epoch, fail, listeners, through
from processes import in_child, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

    from plantid_core.resilience.breaker_alarm import Alert


@pytest.fixture
def party(server: Server) -> Iterator[Party]:
    """Return a maker of breakers over the server, each a process of its own to the others."""
    with Party(server) as made:
        yield made


def test_a_child_has_a_connection_of_its_own(party: Party, server: Server) -> None:
    """It hears and tells as a process of the fleet, and its parent still does, too."""
    parent, other = party.make(), party.make()
    before = listeners(server)

    def work() -> object:
        good = through(parent)
        more = listeners(server)
        fail(parent)
        return good, more - before, until(lambda: epoch(parent) == 1)

    assert in_child(work) == repr((True, 1, True))
    assert until(lambda: epoch(other) == epoch(parent) == 1)
    assert not through(parent)


def test_a_parent_hears_news_after_a_child_has_ended(party: Party) -> None:
    """The child's end takes no socket of its parent along."""
    parent, other = party.make(), party.make()

    assert in_child(lambda: through(parent)) == "True"
    fail(other)

    assert until(lambda: epoch(parent) == 1)
    assert not through(parent)


def test_a_child_knows_what_is_open_before_its_first_call(party: Party) -> None:
    """What the fleet has opened after the parent last looked is refused in the child."""
    parent, other = party.make(), party.make()
    fail(other)
    assert until(lambda: epoch(parent) == 1)

    assert in_child(lambda: through(parent)) == "False"


def test_a_fork_while_a_lock_is_held_does_not_stick(party: Party) -> None:
    """A child made while a thread is amid a change calls and trips all the same."""
    parent = party.make()
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with parent._circuits.lock:  # noqa: SLF001 - a moment that a test cannot hit otherwise
            locked.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    assert locked.wait(5)

    def work() -> object:
        good = through(parent)
        fail(parent)
        return good, parent.state

    said = in_child(work)
    done.set()
    thread.join()

    assert said == repr((True, "open"))


def test_a_local_breaker_keeps_its_state_in_a_child() -> None:
    """Without a Redis there is nobody to ask: what the parent knew holds on."""
    from plantid_core.resilience.breaker import Breaker

    breaker = Breaker("local", fail_max=1)
    fail(breaker, 1)

    assert in_child(lambda: (breaker.state, through(breaker))) == repr(("open", False))


def test_an_opening_is_alerted_of_once(party: Party) -> None:
    """The process that caused it raises the alarm; those that hear of it do not."""
    heard: list[Alert] = []
    one, other = party.make(alert=heard.append), party.make(alert=heard.append)

    fail(one)
    assert until(lambda: epoch(other) == 1)
    assert not through(other)

    assert until(lambda: len(heard) == 1)
    assert (heard[0].name, heard[0].times, heard[0].open_for_s) == ("svc", 1, 30.0)
    assert "opened" in str(heard[0])
    assert "2 failures in a row" in str(heard[0])


def test_a_failed_probe_is_alerted_of_by_who_made_it(party: Party) -> None:
    """It stays open, for the second time in a row."""
    first: list[Alert] = []
    second: list[Alert] = []
    one = party.make(alert=first.append, reset_timeout=0.2)
    other = party.make(alert=second.append, reset_timeout=0.2)
    fail(one)
    assert until(lambda: other.state == "half-open")

    fail(other, 1)

    assert until(lambda: len(second) == 1)
    assert "stays open" in str(second[0])
    assert (second[0].times, len(first)) == (2, 1)


def test_an_alert_that_raises_harms_no_call(party: Party) -> None:
    """The caller gets its own error, and the breaker opens."""

    def broken(alert: Alert) -> None:
        raise RuntimeError(alert.cause)

    one, other = party.make(alert=broken), party.make()

    fail(one)

    assert until(lambda: one.state == other.state == "open")


def test_without_redis_the_alarm_is_raised_by_the_process_itself(
    party: Party, server: Server
) -> None:
    """A trip while Redis is away is alerted of all the same, once."""
    heard: list[Alert] = []
    one = party.make(alert=heard.append)

    server.kill()
    fail(one)

    assert until(lambda: len(heard) == 1)


def test_a_hanging_redis_keeps_no_alarm_back(party: Party, server: Server) -> None:
    """A trip that Redis does not answer is alerted of once that is known."""
    heard: list[Alert] = []
    one = party.make(alert=heard.append)

    server.stop()
    fail(one)

    assert until(lambda: len(heard) == 1)
    server.cont()
