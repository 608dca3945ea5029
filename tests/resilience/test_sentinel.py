"""A primary that hangs, and sentinels that name another: everything that talks to Redis goes along."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from processes import until

from plantid_core.drill.sentinels import Sentinels
from plantid_core.resilience import Breaker, strategy
from plantid_core.resilience.link import Address
from plantid_core.resilience.locks import RedisLock
from plantid_core.resilience.quota import Limits, Quota
from plantid_core.store.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import redis


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    """Run a primary, a replica and three sentinels."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
        processes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path))
        return processes[-1]

    try:
        yield Sentinels(tmp_path, start, down_after_ms=500)
    finally:
        for process in processes:
            process.kill()
            process.wait(10)


class Node:
    """What a process of the app holds towards Redis."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.client: redis.Redis = stack.enter_context(closing(connect(url)))
        address = Address.of(self.client)
        self.cache = stack.enter_context(closing(strategy("lease", self.client, ttl_s=60)))
        self.quota = stack.enter_context(closing(Quota(address, {"herbal": Limits(per_day=3)})))
        # It keeps the process in the fleet, as a service's breaker does.
        self.breaker = stack.enter_context(self.broken_by("herbal"))

    @contextmanager
    def broken_by(self, name: str) -> Iterator[Breaker]:
        breaker = Breaker(name, client=self.client, fail_max=2, reset_timeout=60)
        try:
            yield breaker
        finally:
            breaker.leave()


def test_all_that_talks_to_redis_follows_a_failover(sentinels: Sentinels) -> None:
    """Values, breakers, counts and locks are shared on the new primary."""
    with ExitStack() as stack:
        one, other = (Node(sentinels.url, stack) for _ in range(2))
        one.cache.get("leaf", lambda: b"green")
        assert other.cache.get("leaf", lambda: b"red") == b"green"

        sentinels.freeze_primary()
        assert one.cache.get("twig", lambda: b"brown") == b"brown"  # nobody waits for Redis
        sentinels.await_switch()
        assert until(lambda: _shared(one, other), 5), "values"
        assert until(lambda: _tripped(one, other), 8), "breakers"
        assert until(lambda: _counted(one, other), 8), "counts"
        with RedisLock(one.client, "garden", expire_s=5.0):
            assert not RedisLock(other.client, "garden", expire_s=5.0).acquire(blocking=False)
        with sentinels.primary() as primary:
            assert primary.info("replication")["role"] == "master"
            assert any(primary.scan_iter("plantid:breaker:*"))


def _shared(one: Node, other: Node) -> bool:
    """Tell whether what one computes, the other is told; of a key that is new each time."""
    key = f"bud-{time.monotonic_ns()}"
    one.cache.get(key, lambda: b"one")
    return other.cache.get(key, lambda: b"other") == b"one"


def _tripped(one: Node, other: Node) -> bool:
    """Tell whether a breaker that opens in one is open in the other; one that is new each time."""
    name = f"herbal-{time.monotonic_ns()}"
    with one.broken_by(name) as failing, other.broken_by(name) as hearing:
        for _ in range(2):
            with pytest.raises(OSError, match="down"):
                failing.call(_down)
        return until(lambda: hearing.state == "open", 0.5)


def _down() -> None:
    raise OSError("down")


def _counted(one: Node, other: Node) -> bool:
    one.quota.reserve("herbal", "ann").give_back()
    reserved = one.quota.reserve("herbal", "ann")
    try:
        return other.quota.state("herbal")["used"] == 1
    finally:
        reserved.give_back()
