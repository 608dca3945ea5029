"""Shared breakers while their Redis is killed, stopped, robbed or full of foreign bytes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import redis
from breaker_callers import Down, Party, epoch, fail, goes_with_the_fleet, listeners, through
from processes import until

from plantid_core.resilience.breaker import Breaker
from plantid_core.store.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import Server

KEY = "plantid:breaker:{svc}"
BACK_S = 6.0


@pytest.fixture
def party(server: Server) -> Iterator[Party]:
    """Return a maker of breakers over the server, each a process of its own to the others."""
    with Party(server) as made:
        yield made


def opened(*breakers: Breaker) -> bool:
    return until(lambda: all(b.state == "open" and epoch(b) for b in breakers))


def test_killed_while_closed_each_goes_by_itself_and_later_together_again(
    party: Party, server: Server
) -> None:
    """Calls go on; a trip opens only its own process; after the restart a trip opens all."""
    one, other = party.make(reset_timeout=0.3, ramp=()), party.make(reset_timeout=0.3, ramp=())

    server.kill()
    assert through(one)
    fail(one)
    alone = (one.state, other.state)
    server.restart()
    assert until(lambda: goes_with_the_fleet(one) and goes_with_the_fleet(other), BACK_S)
    assert until(lambda: through(one))
    fail(other)

    assert alone == ("open", "closed")
    assert until(lambda: epoch(one) == 1)


def test_killed_while_open_it_stays_open_everywhere(party: Party, server: Server) -> None:
    """Each process goes on with a copy; the server that comes back empty is told again."""
    one, other = party.make(), party.make()
    fail(one)
    assert opened(one, other)

    server.kill()
    assert until(lambda: not goes_with_the_fleet(one) and not goes_with_the_fleet(other))
    dead = (through(one), through(other), one.state, other.state)
    server.restart()

    assert dead == (False, False, "open", "open")
    assert until(lambda: goes_with_the_fleet(one) and goes_with_the_fleet(other), BACK_S)
    assert (one.state, other.state) == ("open", "open")
    assert until(lambda: server.client().exists(KEY) == 1)


def test_killed_while_half_open_each_probes_for_itself(party: Party, server: Server) -> None:
    """The probe is let through and closes its own process, without a word of Redis."""
    one, other = (party.make(reset_timeout=0.3, ramp=()) for _ in range(2))
    fail(one)
    assert until(lambda: {one.state, other.state} == {"half-open"})

    server.kill()
    assert until(lambda: through(one))

    assert one.state == "closed"
    assert other.state == "half-open"


def test_a_probe_over_the_death_of_the_server_counts_at_home(party: Party, server: Server) -> None:
    """Redis dies while the probe runs: its caller gets the result, and its process goes by it."""
    one = party.make(reset_timeout=0.3, ramp=())
    fail(one)
    assert until(lambda: one.state == "half-open")

    assert one.call(lambda: server.kill() or "value") == "value"

    assert until(lambda: one.state == "closed")


def test_a_hanging_server_delays_no_call_of_a_closed_breaker(party: Party, server: Server) -> None:
    """Neither a thousand good calls nor the failures that open it wait for Redis."""
    one = party.make()

    server.stop()
    began = time.monotonic()
    for _ in range(1000):
        one.call(lambda: 1)
    fail(one)
    spent = time.monotonic() - began
    refused = not through(one)
    server.cont()

    assert spent < 0.15  # less than one command's timeout
    assert refused


def test_a_flush_while_open_opens_no_door(party: Party, server: Server) -> None:
    """It stays open everywhere, and the next change is written and heard."""
    one, other = party.make(), party.make()
    fail(one)
    assert opened(one, other)

    server.client().flushall()
    stays = (through(one), through(other))
    other.close()

    assert stays == (False, False)
    assert server.client().exists(KEY) == 1
    assert until(lambda: one.state == other.state == "closed")


@pytest.mark.parametrize("foreign", [b"", b"abc", b"\xff\xfe" * 40, b"[]", b'{"epoch": "many"}'])
def test_foreign_bytes_are_written_over(party: Party, server: Server, foreign: bytes) -> None:
    """What somebody else put in our place is a closed circuit, and no hindrance."""
    server.client().set(KEY, foreign)
    one, other = party.make(), party.make()

    fail(one)

    assert opened(one, other)
    assert server.client().get(KEY) != foreign


def test_a_foreign_type_is_written_over(party: Party, server: Server) -> None:
    """So is a list."""
    server.client().rpush(KEY, "a", "b")
    one, other = party.make(), party.make()

    fail(one)

    assert opened(one, other)


def test_foreign_messages_are_not_heeded(party: Party, server: Server) -> None:
    """Nonsense on the channel ends no subscription."""
    one, other = party.make(), party.make()
    for nonsense in (b"", b"\n", b"svc\n", b"svc\n{}x", b"\xff\n\xff", b"svc\n[1]"):
        server.client().publish("plantid:breakers:0", nonsense)

    fail(one)

    assert opened(one, other)


def test_a_client_that_decodes_works(tmp_path: Path, server: Server) -> None:
    """``decode_responses=True`` changes nothing."""
    del tmp_path
    path = server.url.removeprefix("unix://")
    with (
        redis.Redis(unix_socket_path=path, decode_responses=True) as decoding,
        Party(server) as party,
    ):
        one = Breaker("svc", client=decoding, fail_max=2)
        other = party.make()
        assert through(one)
        fail(one)

        assert opened(one, other)
        one.leave()


def test_a_server_that_is_down_when_it_is_made_raises_nothing(party: Party, server: Server) -> None:
    """Made and called without Redis, it goes by itself, and with the fleet once there is one."""
    server.kill()
    one = party.make(wait=False)
    assert through(one)
    fail(one)
    alone = one.state
    server.restart()
    newcomer = party.make()

    assert alone == "open"
    assert until(lambda: goes_with_the_fleet(one), BACK_S)
    one.close()
    fail(newcomer)
    assert opened(one, newcomer)


@pytest.mark.parametrize("kind", ["normal", "pubsub"])
def test_killed_connections_are_made_anew(party: Party, server: Server, kind: str) -> None:
    """A trip still reaches the other process."""
    one, other = party.make(), party.make()

    server.client().execute_command("CLIENT", "KILL", "TYPE", kind)  # type: ignore[no-untyped-call]
    assert until(lambda: listeners(server) == 2)
    assert until(lambda: goes_with_the_fleet(one) and goes_with_the_fleet(other), BACK_S)
    fail(one)

    assert opened(one, other)


def test_scripts_that_the_server_forgot_are_sent_again(party: Party, server: Server) -> None:
    """SCRIPT FLUSH is not noticed by anyone."""
    one, other = party.make(), party.make()

    server.client().script_flush()
    fail(one)

    assert opened(one, other)


def test_no_caller_ever_sees_an_error_of_redis(party: Party, server: Server) -> None:
    """While Redis goes and comes, each call ends as its function does, or is refused."""
    one = party.make(reset_timeout=0.05, ramp=(), longest_open_s=0.05)
    strange: list[BaseException] = []

    def some_calls() -> None:
        for number in range(60):
            try:
                fail(one, 1) if number % 3 == 0 else through(one)
            except Down:
                continue
            except Exception as error:  # noqa: BLE001 - this is what there must be none of
                strange.append(error)
            time.sleep(0.005)

    for trouble in (server.kill, server.restart, server.stop, server.cont):
        trouble()
        some_calls()

    assert strange == []


def test_a_breaker_that_left_goes_by_itself(party: Party, server: Server) -> None:
    """It hears no more, tells no more, and its process's connection ends."""
    one, other = party.make(), party.make()

    one.leave()
    fail(other)
    assert opened(other)

    assert through(one)
    assert until(lambda: listeners(server) == 1)
    with connect(server.url) as client:
        assert client.ping()
