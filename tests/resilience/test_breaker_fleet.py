"""One breaker over many real processes and a real Valkey."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from breaker_callers import Caller, Crew, results, trip
from processes import until

if TYPE_CHECKING:
    from servers import Server

SOON_S = 0.2


def commands(server: Server) -> int:
    """Return how many commands the server has done, but for those by which it is asked."""
    stats = server.client().info("commandstats")
    own = {"cmdstat_info", "cmdstat_config|resetstat", "cmdstat_client|setinfo", "cmdstat_ping"}
    own |= {"cmdstat_hello", "cmdstat_client|setname", "cmdstat_select"}
    return sum(int(found["calls"]) for name, found in stats.items() if name not in own)


def test_a_trip_in_one_process_is_open_in_all(server: Server) -> None:
    """Those who met no failure refuse calls too, by the same opening."""
    with Crew(server.url, 3) as crew:
        trip(crew.members[0])

        assert crew.all_in("open")
        assert results(crew.together("call", outcome="ok")) == ["BreakerOpen"] * 3
        assert len({(m.look()["until"], m.look()["epoch"]) for m in crew}) == 1


def test_of_eight_processes_one_probes(server: Server) -> None:
    """When its time is up, eight processes call at once, and one call is let through."""
    with Crew(server.url, 8, reset_timeout=SOON_S, probe_timeout_s=20) as crew:
        trip(crew.members[0])
        assert crew.all_in("half-open")

        answers = results(crew.together("hold"))

        assert answers == ["BreakerOpen"] * 7 + ["inside"]


def test_three_probes_are_three_over_all_processes(server: Server) -> None:
    """With three permits, three of eight processes come through."""
    with Crew(server.url, 8, reset_timeout=SOON_S, probe_timeout_s=20, permitted_probes=3) as crew:
        trip(crew.members[0])
        assert crew.all_in("half-open")

        answers = results(crew.together("hold"))

        assert answers == ["BreakerOpen"] * 5 + ["inside"] * 3


def test_eight_trips_at_once_are_one_opening(server: Server) -> None:
    """However many processes meet the failures, one epoch is begun, of one length."""
    with Crew(server.url, 8) as crew:
        crew.together("call", outcome="fail")
        crew.together("call", outcome="fail")

        assert until(lambda: all(m.look()["epoch"] for m in crew))
        assert until(lambda: len({m.look()["until"] for m in crew}) == 1)
        found = [m.look() for m in crew]
        assert {(f["epoch"], f["strikes"], f["state"]) for f in found} == {(1, 1, "open")}
        assert sum(len(m.alerts) for m in crew) == 1


def test_a_killed_probers_permit_comes_back(server: Server) -> None:
    """Nobody else probes until its deadline; then one may."""
    with Crew(server.url, 2, reset_timeout=SOON_S, probe_timeout_s=1.5) as crew:
        prober, other = crew.members
        trip(prober)
        assert crew.all_in("half-open")
        assert prober.ask("hold")["result"] == "inside"
        assert other.call() == "BreakerOpen"

        prober.process.send_signal(signal.SIGKILL)

        assert until(lambda: other.call() == "ok", 10)


def test_a_ramp_lets_more_through_and_ends_closed_in_all(server: Server) -> None:
    """After a good probe the shares grow, and then every call of everybody is let through."""
    ramp = {"ramp": (0.1, 0.5), "ramp_s": 4.0}
    with Crew(server.url, 2, reset_timeout=SOON_S, **ramp) as crew:
        one, other = crew.members
        trip(one)
        assert crew.all_in("half-open")
        assert one.call() == "ok"

        # The other hears of it a moment later.
        assert until(lambda: other.ask("many", count=100).get("ok") in {9, 10, 11})
        assert until(
            lambda: other.ask("many", count=20).get("ok") in {9, 10, 11}
        )  # the second step
        assert crew.all_in("closed", 10)
        late = other.ask("many", count=100)

        assert late == {"ok": 100}


def test_a_failed_probe_opens_it_once_for_longer_in_all(server: Server) -> None:
    """One probe fails: two strikes, twice the time, and the alert says that it stays open."""
    with Crew(server.url, 3, reset_timeout=0.5) as crew:
        trip(crew.members[0])
        assert crew.all_in("open")
        assert crew.all_in("half-open")

        answers = results(crew.together("call", outcome="fail"))

        assert answers == ["BreakerOpen"] * 2 + ["Down"]
        assert until(lambda: all(m.look()["strikes"] == 2 for m in crew))
        assert {(m.look()["epoch"], round(m.look()["lasts"])) for m in crew} == {(2, 1000)}  # type: ignore[call-overload]
        told = [alert for member in crew for alert in member.alerts]
        assert len(told) == 2
        assert "opened" in told[0] + told[1]
        assert "stays open" in told[0] + told[1]


def test_retry_after_is_heard_by_all(server: Server) -> None:
    """One failure that names a time opens it for exactly that time, everywhere."""
    with Crew(server.url, 3, jitter=0.5) as crew:
        assert crew.members[0].call("fail", named_s=123.0) == "Down"

        assert crew.all_in("open")
        assert {round(m.look()["lasts"]) for m in crew} == {123_000}  # type: ignore[call-overload]


def test_a_forced_mode_reaches_all_and_newcomers(server: Server) -> None:
    """Forced open by one, it is open in the others, and in one that starts later; then decides again."""
    with Crew(server.url, 2) as crew:
        crew.members[0].ask("force", mode="forced-open")
        assert crew.all_in("open")

        assert crew.join().call() == "BreakerOpen"
        crew.members[0].ask("force", mode="auto")
        assert crew.all_in("closed")


def test_a_newcomer_knows_before_its_first_call(server: Server) -> None:
    """A process that starts while it is open refuses its very first call."""
    with Crew(server.url, 1) as crew:
        trip(crew.members[0])
        assert until(lambda: crew.members[0].look()["epoch"] == 1)

        assert crew.join().call() == "BreakerOpen"


def test_breakers_of_other_names_are_others(server: Server) -> None:
    """What opens one leaves the other alone."""
    with Crew(server.url, 1) as crew, Crew(server.url, 1, name="other") as others:
        trip(crew.members[0])
        assert crew.all_in("open")

        assert others.members[0].call() == "ok"
        assert others.members[0].look()["epoch"] == 0


def test_calls_cost_no_round_trip_while_closed_or_open(server: Server) -> None:
    """A thousand calls make the server do nothing, be they let through or refused."""
    with Crew(server.url, 1) as crew:
        member: Caller = crew.members[0]
        member.call()
        before = commands(server)
        assert member.ask("many", count=1000) == {"ok": 1000}
        closed = commands(server) - before

        trip(member)
        assert until(lambda: member.look()["epoch"] == 1)
        before = commands(server)
        assert member.ask("many", count=1000) == {"BreakerOpen": 1000}
        opened = commands(server) - before

        assert (closed, opened) == (0, 0)
