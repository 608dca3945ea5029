"""What strategies stand on: clocks, chance, locks that are waited for, threads, and the way to Redis.

`Ground` is the real one. A simulation stands the same strategies on a virtual clock and a modelled
server by a ground of its own, so that what it shows cannot drift from what runs.
"""

from __future__ import annotations

import threading
import time as clocks
from typing import TYPE_CHECKING, Protocol

from plantid_core.resilience import early

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pybreaker
    import redis

    from plantid_core.resilience.behind import Behind
    from plantid_core.resilience.heartbeat import Heartbeat
    from plantid_core.resilience.link import Address, Timeouts
    from plantid_core.resilience.locks import Lock
    from plantid_core.resilience.server import RedisServer
    from plantid_core.resilience.subscriber import Ear, Subscriber


class Baton(Protocol):
    """A lock as `threading.Lock` makes it."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002
        """Take it, within so many seconds (-1: without a limit)."""

    def release(self) -> None:
        """Give it back."""

    def locked(self) -> bool:
        """Tell whether it is taken."""


class LibraryLock(Protocol):
    """The part of python-redis-lock's lock that is used as it is."""

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:  # noqa: FBT001, FBT002
        """Take it; False where that took longer than ``timeout`` seconds."""

    def release(self) -> None:
        """Give it back."""


class Ground:
    """The real clocks, locks, threads and servers. Times are Unix or monotonic seconds."""

    time: Callable[[], float] = staticmethod(clocks.time)
    monotonic: Callable[[], float] = staticmethod(clocks.monotonic)
    draw: Callable[[], float] = staticmethod(early.draw)
    sleep: Callable[[float], None] = staticmethod(clocks.sleep)

    def lock(self) -> Baton:
        """Return a lock to wait for."""
        return threading.Lock()

    def behind(self) -> Behind:
        """Return where refreshes run."""
        from plantid_core.resilience.behind import Behind

        return Behind()

    def server(
        self,
        address: Address,
        timeouts: Timeouts,
        *,
        on_down: Callable[[], None],
        on_up: Callable[[], None],
        max_connections: int,
        thin: bool,
    ) -> RedisServer:
        """Return the one Redis of a cache."""
        from plantid_core.resilience.server import RedisServer

        return RedisServer(
            address, timeouts, on_down=on_down, on_up=on_up, max_connections=max_connections,
            thin=thin,
        )  # fmt: skip

    def subscriber(
        self, server: RedisServer, channel: str, scripts: Sequence[str], ear: Ear, name: str
    ) -> Subscriber:
        """Return who hears of commits."""
        from plantid_core.resilience.subscriber import Subscriber

        return Subscriber(server, channel, scripts, ear, name=name)

    def heartbeat(self, server: RedisServer, lease_s: float, longest_s: float) -> Heartbeat:
        """Return who keeps leases alive."""
        from plantid_core.resilience.heartbeat import Heartbeat

        return Heartbeat(server, lease_s, longest_s)

    def client(
        self, address: Address, *, answer_s: float | None, max_connections: int
    ) -> redis.Redis:
        """Return a client of redis-py."""
        return address.client(answer_s=answer_s, max_connections=max_connections)

    def redis_lock(self, client: redis.Redis, name: str, expire_s: float) -> Lock:
        """Return python-redis-lock's lock, mended."""
        from plantid_core.resilience.locks import RedisLock

        return RedisLock(client, name, expire_s=expire_s)

    def redlock(self, masters: Sequence[Address], answer_s: float) -> Callable[[str, float], Lock]:
        """Return a maker of quorum locks, of their name and expiry in seconds."""
        from plantid_core.resilience.redlock import Masters, Redlock

        quorum = Masters([master.client(answer_s=answer_s) for master in masters])
        return lambda name, expire_s: Redlock(quorum, name, expire_s=expire_s)

    def library_lock(self, client: redis.Redis, name: str, expire_s: int) -> LibraryLock:
        """Return python-redis-lock's lock, as it is."""
        import redis_lock

        made: LibraryLock = redis_lock.Lock(client, name, expire=expire_s, auto_renewal=True)
        return made

    def library_breaker(self, fail_max: int, reset_s: float) -> pybreaker.CircuitBreaker:
        """Return pybreaker's breaker, as it is."""
        import pybreaker

        return pybreaker.CircuitBreaker(fail_max=fail_max, reset_timeout=reset_s)


REAL = Ground()
