"""A process whose own trouble it is: who accuses a service that works for the others is overruled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from breaker_callers import Crew, Down, Party, epoch, fail, through, trip
from processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import Server

    from plantid_core.resilience.breaker import Breaker


@pytest.fixture
def party(server: Server) -> Iterator[Party]:
    """Return a maker of breakers over the server, each a process of its own to the others."""
    with Party(server) as made:
        yield made


def seen_working(breaker: Breaker) -> Breaker:
    """Let it see the service work just now."""
    for _ in range(5):
        assert through(breaker)
    return breaker


def accusers(breaker: Breaker) -> tuple[str, ...]:
    share = breaker._circuits.share  # noqa: SLF001 - the test wants to see inside
    assert share is not None
    return share.circuit.accusers


def test_one_of_three_processes_is_overruled_and_stays_away_alone(server: Server) -> None:
    """Real processes: the challenger's one good call closes it for all but the accuser."""
    with Crew(server.url, 3) as crew:
        bad, *good = crew.members
        for member in good:
            member.ask("many", count=5)
        trip(bad)
        assert until(lambda: all(m.look()["epoch"] == 1 for m in good))

        assert until(lambda: all(m.call() == "ok" for m in good))
        assert until(lambda: [m.state for m in crew] == ["open", "closed", "closed"])


def test_a_witness_closes_it_again(party: Party) -> None:
    """It stays open in the accuser alone."""
    bad, good, idle = party.make(), party.make(), party.make()
    fail(idle, 1)  # no witness
    seen_working(good)
    fail(bad)
    assert until(lambda: epoch(good) == epoch(idle) == 1)

    assert through(good)

    assert until(lambda: (bad.state, good.state, idle.state) == ("open", "closed", "closed"))
    assert not through(bad)


def test_an_overruled_accuser_recovers_by_its_own_probe(party: Party) -> None:
    """When its own time is up its probe decides, and then it is one of them again."""
    bad, good = party.make(reset_timeout=0.3, ramp=()), party.make(reset_timeout=30)
    seen_working(good)
    fail(bad)
    assert until(lambda: epoch(good) == 1)
    assert through(good)
    assert until(lambda: good.state == "closed")

    assert until(lambda: through(bad))
    assert bad.state == "closed"
    fail(good)
    assert until(lambda: bad.state == "open")


def test_an_overruled_accusers_later_trips_are_its_own(party: Party) -> None:
    """Its failed probes open nothing for the others."""
    bad, good = party.make(reset_timeout=0.2), party.make(reset_timeout=0.2)
    seen_working(good)
    fail(bad)
    assert until(lambda: epoch(good) == 1)
    assert through(good)
    assert until(lambda: bad.state == "half-open")

    fail(bad, 1)

    assert bad.state == "open"
    assert good.state == "closed"
    assert epoch(good) == 1


def test_a_challenger_that_fails_confirms_the_accuser(party: Party) -> None:
    """Its own error is raised, and nobody may challenge the opening any more."""
    bad, good, third = party.make(), party.make(), party.make()
    seen_working(good)
    seen_working(third)
    fail(bad)
    assert until(lambda: epoch(good) == epoch(third) == 1)

    with pytest.raises(Down):
        good.call(_raise)

    assert until(lambda: not through(third))
    assert {bad.state, good.state, third.state} == {"open"}


def test_while_one_challenges_nobody_else_may(party: Party) -> None:
    """A second witness is refused until the first one's call is done."""
    bad, good, third = party.make(), party.make(), party.make()
    seen_working(good)
    seen_working(third)
    fail(bad)
    assert until(lambda: epoch(good) == epoch(third) == 1)

    meanwhile = good.call(lambda: until(lambda: not through(third), 0.5))

    assert meanwhile
    assert until(lambda: through(third))


def test_two_accusers_of_three_are_believed(party: Party, server: Server) -> None:
    """What most processes have met at once is not for the third to challenge."""
    bad, worse, good = party.make(), party.make(), party.make()
    seen_working(good)

    server.stop()  # so that neither hears of the other before it accuses
    fail(bad)
    fail(worse)
    server.cont()

    assert until(lambda: len(accusers(good)) == 2)
    assert not through(good)


def test_a_time_the_service_named_is_not_challenged(party: Party) -> None:
    """Retry-After is the service's own word; a witness is not heard."""
    bad = party.make(classify=_leave_alone)
    good = party.make()
    seen_working(good)
    fail(bad, 1)
    assert until(lambda: epoch(good) == 1)

    assert not through(good)
    assert good.state == "open"


def test_who_has_not_seen_it_work_is_no_witness(party: Party) -> None:
    """A process that has just met failures, too few to open it, is refused like everybody."""
    bad, other = party.make(), party.make()
    fail(other, 1)
    assert through(other)  # one success in a row, two are asked for
    fail(bad)
    assert until(lambda: epoch(other) == 1)

    assert not through(other)


def _raise() -> None:
    raise Down


def _leave_alone(error: BaseException, took_s: float) -> object:
    from plantid_core.resilience.outcome import Judgement

    del error, took_s
    return Judgement(fails=True, open_for_s=20.0)
