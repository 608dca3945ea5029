"""The ground a simulated process stands on: see `plantid_core.resilience.ground`."""

from __future__ import annotations

import datetime as dt
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pybreaker
import redis_lock

from plantid_core.lab.simulate.clock import VirtualLock, VirtualRLock
from plantid_core.lab.simulate.latency import Stopwatch
from plantid_core.lab.simulate.store import VirtualRedis, VirtualServer
from plantid_core.resilience import lease as leases
from plantid_core.resilience.behind import QUEUED, THREADS
from plantid_core.resilience.ground import Ground
from plantid_core.resilience.locks import RedisLock
from plantid_core.resilience.redlock import Masters, Redlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import redis

    from plantid_core.lab.simulate.clock import Clock
    from plantid_core.lab.simulate.latency import Latency
    from plantid_core.lab.simulate.store import Store
    from plantid_core.resilience.behind import Behind
    from plantid_core.resilience.ground import Baton, LibraryLock
    from plantid_core.resilience.heartbeat import Heartbeat
    from plantid_core.resilience.lease import Lease
    from plantid_core.resilience.link import Address, Timeouts
    from plantid_core.resilience.locks import Lock
    from plantid_core.resilience.server import RedisServer
    from plantid_core.resilience.subscriber import Ear, Subscriber

_DRAWS = 4096


class VirtualGround(Ground):
    """One process on a virtual clock and a modelled server; its chances come from ``rng``."""

    def __init__(self, store: Store, latency: Latency, rng: np.random.Generator) -> None:
        self._clock, self._store, self._rng = store.clock, store, rng
        self._command = Stopwatch(latency.command, rng)
        self._link = Stopwatch(latency.link, rng)
        self._signal = Stopwatch(latency.signal, rng)
        self._baton = Stopwatch(latency.baton, rng)
        self._wrap = Stopwatch(latency.wrap, rng)
        self._draws: list[float] = []
        self.time = self.monotonic = lambda: self._clock.now
        self.draw = self._draw
        self.sleep = self._clock.sleep

    def _draw(self) -> float:
        if not self._draws:
            self._draws = (1.0 - self._rng.random(_DRAWS)).tolist()
        return self._draws.pop()

    def lock(self) -> Baton:
        """Return a lock to wait for."""
        return VirtualLock(self._clock, self._baton)

    def behind(self) -> Behind:
        """Return where refreshes run."""
        return cast("Behind", _VirtualBehind(self._clock))

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
        """Return the modelled server."""
        del address, timeouts, on_down, on_up, max_connections, thin
        return cast("RedisServer", VirtualServer(self._store, self._link))

    def subscriber(
        self, server: RedisServer, channel: str, scripts: Sequence[str], ear: Ear, name: str
    ) -> Subscriber:
        """Return who hears of commits."""
        del server, channel, scripts, name
        return cast("Subscriber", _VirtualSubscriber(self._store, ear))

    def heartbeat(self, server: RedisServer, lease_s: float, longest_s: float) -> Heartbeat:
        """Return who keeps leases alive."""
        return cast("Heartbeat", _VirtualHeartbeat(self._clock, server, lease_s, longest_s))

    def client(
        self, address: Address, *, answer_s: float | None, max_connections: int
    ) -> redis.Redis:
        """Return redis-py's face on the modelled server."""
        del address, answer_s, max_connections
        return VirtualRedis(self._store, self._command, self._signal)

    def redis_lock(self, client: redis.Redis, name: str, expire_s: float) -> Lock:
        """Return the mended lock; the modelled server lets none expire, so nothing renews it."""
        return _Wrapped(self._clock, self._wrap, client, name, expire_s, self)

    def redlock(self, masters: Sequence[Address], answer_s: float) -> Callable[[str, float], Lock]:
        """Return a maker of quorum locks over one modelled master."""
        del masters, answer_s
        quorum = Masters([VirtualRedis(self._store, self._command, self._signal)])
        return lambda name, expire_s: Redlock(
            quorum, name, expire_s=expire_s, auto_renewal=False, ground=self
        )

    def library_lock(self, client: redis.Redis, name: str, expire_s: int) -> LibraryLock:
        """Return python-redis-lock's lock without its renewing thread."""
        made: LibraryLock = _Unrenewed(client, name, expire=expire_s, auto_renewal=True)
        return made

    def library_breaker(self, fail_max: int, reset_s: float) -> pybreaker.CircuitBreaker:
        """Return pybreaker's breaker, whose opening is told in virtual time."""
        made = pybreaker.CircuitBreaker(
            fail_max=fail_max, reset_timeout=reset_s, state_storage=_VirtualOpening(self._clock)
        )
        # Held through a whole call, so that a process makes one value at a time.
        made._lock = VirtualRLock(self._clock, self._baton)  # type: ignore[assignment]  # noqa: SLF001
        return made


class _Wrapped(RedisLock):
    """A lock whose holder pays for its renewal's thread."""

    def __init__(
        self,
        clock: Clock,
        wrap_s: Callable[[], float],
        client: redis.Redis,
        name: str,
        expire_s: float,
        ground: Ground,
    ) -> None:
        super().__init__(client, name, expire_s=expire_s, auto_renewal=False, ground=ground)
        self._clock, self._wrap_s = clock, wrap_s

    def _take(self) -> bool:
        taken = super()._take()
        if taken:
            self._clock.sleep(self._wrap_s())
        return taken


class _Unrenewed(redis_lock.Lock):  # type: ignore[misc]  # a library without types
    """The library's lock without the thread that renews it."""

    @classmethod
    def register_scripts(cls, redis_client: redis.Redis) -> None:
        """Register them for the library's own class: it does so once, and would leave that one without."""
        redis_lock.Lock.register_scripts(redis_client)

    def _start_lock_renewer(self) -> None:
        pass


class _VirtualBehind:
    """As many workers as the real one has threads, and as long a queue."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: deque[Callable[[], None]] = deque()
        self._working = 0

    def submit(self, job: Callable[[], None]) -> bool:
        """Run a job soon, beside the caller; False where there are too many."""
        if self._working + len(self._jobs) >= QUEUED:
            return False
        self._jobs.append(job)
        if self._working < THREADS:
            self._working += 1
            self._clock.spawn(self._clock.now, self._work)
        return True

    def _work(self) -> None:
        while self._jobs:
            self._jobs.popleft()()
        self._working -= 1

    def close(self) -> None:
        """Do nothing: there are no threads."""


class _VirtualSubscriber:
    """Hears what is published on the modelled server."""

    connected = True

    def __init__(self, store: Store, ear: Ear) -> None:
        self._store, self._ear = store, ear

    def start(self) -> None:
        """Begin to listen."""
        self._store.ears.append(self._ear)

    def await_first(self, seconds: float) -> None:
        """Do nothing: it listens."""

    def reconnect_now(self) -> None:
        """Do nothing: it is connected."""

    def close(self) -> None:
        """Listen no more."""
        if self._ear in self._store.ears:
            self._store.ears.remove(self._ear)


class _VirtualHeartbeat:
    """Renews a lease three times in its length while its value is made."""

    def __init__(self, clock: Clock, server: RedisServer, lease_s: float, longest_s: float) -> None:
        self._clock, self._server = clock, server
        self._lease_s, self._longest_s = lease_s, longest_s

    @contextmanager
    def keeping(self, lease: Lease, on_lost: Callable[[], object]) -> Iterator[None]:
        """Renew the lease during the enclosed work; ``on_lost`` is called if that fails."""
        held, until = [True], self._clock.now + self._longest_s

        def beat() -> None:
            if not held[0]:
                return
            lasts = self._clock.now < until
            if lasts and leases.renew(self._server, lease, self._lease_s):
                self._clock.spawn(self._clock.now + self._lease_s / 3, beat)
            elif held[0]:
                on_lost()

        self._clock.spawn(self._clock.now + self._lease_s / 3, beat)
        try:
            yield
        finally:
            held[0] = False

    def close(self) -> None:
        """Do nothing: there is no thread."""


class _VirtualOpening(pybreaker.CircuitMemoryStorage):
    """Says that the circuit opened as long ago, by the real clock, as it is on the virtual one."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(pybreaker.STATE_CLOSED)
        self._clock, self._since = clock, 0.0

    @property
    def opened_at(self) -> dt.datetime | None:
        """Return when the circuit opened."""
        if self._opened_at is None:
            return None
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=self._clock.now - self._since)

    @opened_at.setter
    def opened_at(self, value: dt.datetime) -> None:
        self._opened_at, self._since = value, self._clock.now
