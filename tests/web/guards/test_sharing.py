"""Counts that processes share, through a Redis that comes and goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest
from servers import Server

from plantid_core.resilience.counts import Counts
from plantid_core.resilience.link import Address
from plantid_core.web.guards.sharing import reconcile, shared
from plantid_core.web.guards.windows import Rate, SlidingWindows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 6000.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "valkey")
    yield running
    running.close()


def process(limit: int = 10) -> dict[str, SlidingWindows]:
    return {"anonymous": SlidingWindows(Rate(limit, 60))}


def taken(one: dict[str, SlidingWindows], now: float = NOW) -> int:
    """Return how many of twenty requests are allowed."""
    return sum(one["anonymous"].take("a", now).allowed for _ in range(20))


def test_what_one_allowed_another_counts(server: Server) -> None:
    """Also in the window after, where the former one is weighted; and Redis holds no address."""
    counts = Counts(Address.of(server.client()))
    here, there = process(), process()
    assert taken(here) == 10

    assert there["anonymous"].take("a", NOW).allowed  # not told yet
    for one in (here, there, here):
        anyio.run(reconcile, one, counts.ask)

    assert taken(there) == 0
    half = NOW + 60 + 30
    third = process()
    third["anonymous"].take("a", half)
    anyio.run(reconcile, third, counts.ask)
    assert taken(third, half) == 3  # 10 - 11 / 2 - 1, in whole requests
    assert not [key for key in server.client().scan_iter() if key.endswith(b":a")]
    counts.close()


def test_without_redis_each_holds_the_limit_alone_and_tells_later(server: Server) -> None:
    """Nothing is lost of what was counted meanwhile."""
    client = server.client(socket_timeout_s=0.2)
    counts = Counts(Address.of(client))
    here, there = process(), process()
    server.kill()
    assert taken(here) == 10
    anyio.run(reconcile, here, counts.ask)

    server.restart()
    again = Counts(Address.of(server.client()))
    there["anonymous"].take("a", NOW)
    for one in (here, there):
        anyio.run(reconcile, one, again.ask)

    assert taken(there) == 0
    counts.close()
    again.close()


def test_they_are_told_by_themselves_while_the_app_runs(server: Server) -> None:
    """And the last time when it ends nobody waits for Redis."""
    here, there = process(), process()
    taken(here)

    async def running() -> bool:
        address = Address.of(server.client())
        async with shared(here, address), shared(there, address):
            with anyio.move_on_after(10):
                while there["anonymous"].look("a", NOW).allowed:
                    there["anonymous"].take("a", NOW)
                    await anyio.sleep(0.2)
                return True
        return False

    assert anyio.run(running)


def test_alone_is_no_trouble() -> None:
    """Where there is no Redis at all, counts stay in the process."""
    here = process()

    async def running() -> None:
        async with shared(here, None):
            await anyio.lowlevel.checkpoint()

    anyio.run(running)
    assert taken(here) == 10
