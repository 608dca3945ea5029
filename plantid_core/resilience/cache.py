"""The shared cache: near, then one flight a process, then one computation for all processes.

It carries out what `protocol` decides, on threads and a real server. None of it is needed to answer:
without Redis each process keeps its own values and computes a key once.
"""

from __future__ import annotations

import math
import os
import threading
import weakref
from typing import TYPE_CHECKING

from plantid_core.errors import DeadlineExceeded
from plantid_core.resilience.counters import Counters
from plantid_core.resilience.driver import Cached, Driver, Flown
from plantid_core.resilience.early import calm, is_early
from plantid_core.resilience.effects import (
    Down,
    Landing,
)
from plantid_core.resilience.envelope import Envelope, calm_value
from plantid_core.resilience.flight import Flights
from plantid_core.resilience.ground import REAL
from plantid_core.resilience.lease import forget
from plantid_core.resilience.link import LinkError, Timeouts
from plantid_core.resilience.near import Near
from plantid_core.resilience.pool import PoolUse
from plantid_core.resilience.protocol import Surroundings, is_kept, is_own_affair, pursue, refresh
from plantid_core.resilience.wake import Wake

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plantid_core.deadline import Deadline
    from plantid_core.resilience.breaker_settings import BreakerReport
    from plantid_core.resilience.driver import KindOf, Producer
    from plantid_core.resilience.effects import Event, Origin
    from plantid_core.resilience.ground import Ground
    from plantid_core.resilience.link import Address
    from plantid_core.resilience.policy import Policy
    from plantid_core.resilience.server import RedisServer


NEAR: Origin = "near"
REDIS: Origin = "redis"
STALE: Origin = "stale"


class Kept:
    """A near value. ``calm_until``: before this monotonic time it can be handed out unseen.

    ``doubtful``: it may have been replaced while no news came; it is only good for want of a better.
    """

    __slots__ = ("calm_until", "doubtful", "envelope", "value")

    def __init__(self, envelope: Envelope, beta: float, ground: Ground) -> None:
        self.envelope = envelope
        self.doubtful = False
        self.value = envelope.value
        left = envelope.soft_expiry - calm(beta) * envelope.delta - ground.time()
        self.calm_until = ground.monotonic() + left


class Cache:
    """A cache at ``address`` (None: in this process alone), whose Redis may die at any time.

    ``kind_of`` may call a value "negative" (kept for the shorter TTL) besides None. Safe to use from
    any number of threads; after a fork it begins anew in the child.
    """

    def __init__(
        self,
        address: Address | None,
        policy: Policy,
        *,
        timeouts: Timeouts | None = None,
        max_connections: int = 50,
        kind_of: KindOf = lambda _: None,
        thin: bool = True,
        ground: Ground = REAL,
    ) -> None:
        self.policy = policy
        self._ground, self.time, self.monotonic = ground, ground.time, ground.monotonic
        self.counters = Counters()
        # Caches of this process alone, which forget what this one hears to be forgotten.
        self.beside: list[Cache] = []
        self._address, self._timeouts = address, timeouts or Timeouts()
        self._max_connections, self._thin = max_connections, thin
        self._kind_of = kind_of
        self._around = Surroundings(policy, ground.time, ground.draw, self.counters.add)
        self._near_hit, self._hit = self.counters.adder("near_hit"), self.counters.adder("hit")
        self._calm = calm(policy.beta)
        self._starting = threading.Lock()
        self._forked = False
        self._start()
        _CACHES.add(self)

    def _start(self) -> None:
        self.near: Near[Kept] = Near(self.policy.near_size, float("inf"))
        self._errors: Near[Exception] = Near(
            self.policy.near_size, self.policy.error_ttl_s, clock=self.monotonic
        )
        self._flights: Flights[Cached] = Flights(self._ground.lock)
        self._behind = self._ground.behind()
        self._server: RedisServer | None = None
        self._driver = Driver(self.policy, self._kind_of, self._abandon, self.monotonic)
        if self._address is None:
            return
        server = self._server = self._ground.server(
            self._address,
            self._timeouts,
            on_down=self._down,
            on_up=self._up,
            max_connections=self._max_connections,
            thin=self._thin,
        )
        self._wake = Wake(server, self._hear, self._gap, self._ground)
        self._heartbeat = self._ground.heartbeat(
            server, self.policy.lease_s, self.policy.longest_compute_s
        )
        self._driver.connect(server, self._wake, self._heartbeat)
        self._wake.start()

    def get(
        self,
        key: str,
        compute: Producer,
        deadline: Deadline | None = None,
        *,
        fresh: bool = False,
        prefer_stale: bool = False,
    ) -> Cached:
        """Return the cached value for ``key``, or have it computed once for all who ask.

        Raises what ``compute`` raised, in every caller that waited for it (`RemoteError` where that
        was in another process), and `DeadlineExceeded` in a caller whose own deadline passes while
        it waits. ``fresh`` takes one that was there before only for want of a new one. ``prefer_stale``
        is for a caller who knows that computing would fail: a stale value is returned at once, and
        nothing is refreshed.
        """
        kept = self.near.peek(key)
        if kept is not None and not fresh:
            if self.monotonic() < kept.calm_until:
                self._near_hit()
                return Cached(kept.value, "near", max(0.0, self.time() - kept.envelope.stored))
            if not prefer_stale and (found := self._from_near(key, kept, compute)) is not None:
                return found
        if prefer_stale and not fresh and (found := self._usable(key, kept)) is not None:
            return found
        try:
            return self.seek(key, compute, deadline, kept, fresh=fresh)
        except DeadlineExceeded:
            # Whoever has waited in vain for a new value is better served with the one before.
            found = self._usable(key, kept) if self.policy.stale_on_error else None
            if found is None:
                raise
            return found

    def _from_near(self, key: str, kept: Kept, compute: Producer) -> Cached | None:
        if kept.doubtful and self.available():
            return None
        envelope, now = kept.envelope, self.time()
        age = max(0.0, now - envelope.stored)
        if now < envelope.soft_expiry:
            beta = self.policy.beta
            if is_early(now, envelope.soft_expiry, envelope.delta, beta, self._ground.draw()):
                self._refresh_behind(key, compute, envelope)
            self._near_hit()
            return Cached(kept.value, "near", age)
        stale = now < envelope.hard_expiry and self.policy.stale_while_refreshing
        if stale and not self.available():
            self.counters.add("stale")
            self._refresh_behind(key, compute, envelope)
            return Cached(kept.value, "stale", age)
        return None

    def _usable(self, key: str, kept: Kept | None) -> Cached | None:
        """Return the near value, or else the server's, where it is not past its hard expiry."""
        envelope, origin = None if kept is None else kept.envelope, NEAR
        if self._forked:
            self._begin_anew()
        if kept is None or kept.doubtful or kept.envelope.hard_expiry <= self.time():
            blob = self._driver.read(key)
            if isinstance(blob, bytes) and (newer := Envelope.unpack(blob)) is not None:
                envelope, origin = newer, REDIS
        now = self.time()
        if envelope is None or envelope.kind == "error" or envelope.hard_expiry <= now:
            return None
        if origin == REDIS:
            self._keep(key, Landing(envelope, origin))
        if now >= envelope.soft_expiry:
            self.counters.add("stale")
            origin = STALE
        elif origin == NEAR:
            self._near_hit()
        else:
            self.counters.add("negative" if envelope.kind == "negative" else "hit")
        return Cached(envelope.value, origin, max(0.0, now - envelope.stored))

    def seek(
        self,
        key: str,
        compute: Producer,
        deadline: Deadline | None,
        kept: Kept | None = None,
        *,
        fresh: bool = False,
    ) -> Cached:
        """Do what `get` does where the near value, if any, will not do."""
        if self._forked:
            self._begin_anew()
        errors = self.policy.error_ttl_s and not fresh
        if errors and (failed := self._errors.get(key)) is not None:
            self.counters.add("error")
            raise failed[1].with_traceback(None)
        name = f"{key}\0fresh" if fresh else key
        while True:
            flight, leads = self._flights.enter(name)
            if leads:
                return self._lead(Flown(name, key, flight, compute, deadline), kept, fresh=fresh)
            if not flight.wait(None if deadline is None else deadline.require()):
                raise DeadlineExceeded(0.0 if deadline is None else deadline.budget_s)
            if flight.error is not None:
                raise flight.error.with_traceback(None)
            if flight.result is not None:
                return flight.result

    def _lead(self, flown: Flown, kept: Kept | None, *, fresh: bool) -> Cached:
        try:
            first = self._driver.read(flown.key)
            cached = None if fresh else self._calm_hit(flown.key, first)
            if cached is None:
                cached = self._pursue(flown, kept, first, fresh=fresh)
        except BaseException as error:
            self._fail(flown, error)
            raise
        self._flights.land(flown.name, flown.flight, cached)
        return cached

    def _pursue(
        self, flown: Flown, kept: Kept | None, first: bytes | Down | None, *, fresh: bool
    ) -> Cached:
        fallback = None if kept is None else kept.envelope
        steps = pursue(self._told_of(flown), fresh=fresh, fallback=fallback)
        landing = self._driver.run(flown, steps, first)
        if landing is None:
            raise TypeError("a search ended without a value")
        if landing.refresh:
            self._refresh_behind(flown.key, flown.compute, landing.envelope)
        return self._keep(flown.key, landing, tuple(flown.events))

    def _told_of(self, flown: Flown) -> Surroundings:
        def count(event: Event) -> None:
            self.counters.add(event)
            flown.events.append(event)

        return Surroundings(self.policy, self.time, self._ground.draw, count)

    def _calm_hit(self, key: str, blob: bytes | Down | None) -> Cached | None:
        """Return what the protocol would, for a value so young that nothing is to be decided."""
        if not isinstance(blob, bytes):
            return None
        found = calm_value(blob, self.time(), self._calm)
        if found is None:
            return None
        kind, age, value = found
        if kind == "negative":
            self.counters.add("negative")
        else:
            self._hit()
        if self.policy.near_size and (envelope := Envelope.unpack(blob)) is not None:
            return self._keep(key, Landing(envelope, "redis"))
        return Cached(value, "redis", age)

    def _fail(self, flown: Flown, error: BaseException) -> None:
        if is_own_affair(error):
            # Those who wait may have more time than the one that led them.
            self._abandon(flown)
            return
        if self.policy.error_ttl_s and isinstance(error, Exception) and is_kept(error):
            self._errors.put(flown.key, error)
        self._flights.land(flown.name, flown.flight, None, error)

    def _keep(self, key: str, landing: Landing, events: tuple[Event, ...] = ()) -> Cached:
        envelope = landing.envelope
        if self.policy.error_ttl_s:
            self._errors.drop(key)
        if self.policy.near_size:
            newer = self.near.peek(key)
            if newer is not None and newer.doubtful and landing.origin == "stale":
                pass  # served for want of a better is no proof that there is none
            elif newer is None or not 0 < envelope.fence < newer.envelope.fence:
                self.near.put(key, Kept(envelope, self.policy.beta, self._ground))
        age = 0.0 if landing.origin == "upstream" else max(0.0, self.time() - envelope.stored)
        return Cached(envelope.value, landing.origin, age, events)

    def _abandon(self, flown: Flown) -> None:
        self._flights.land(flown.name, flown.flight, None)

    def _refresh_behind(self, key: str, compute: Producer, known: Envelope) -> None:
        name = f"{key}\0refresh"
        flight, leads = self._flights.enter(name)
        if not leads:
            return
        flown = Flown(name, key, flight, compute, None)
        if not self._behind.submit(lambda: self._refresh(flown, known)):
            self._abandon(flown)

    def _refresh(self, flown: Flown, known: Envelope) -> None:
        try:
            landing = self._driver.run(flown, refresh(self._around, known))
            if landing is not None and landing.origin != "stale":
                self._keep(flown.key, landing)
        except Exception:  # noqa: BLE001, S110 - its own callers have a value; the next one tries again
            pass
        finally:
            self._abandon(flown)

    def forget(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Delete the values of these keys, here, on the server, and in every process that hears of it.

        Returns the keys that the server could not be told of: there, and in other processes, their
        values may stay until they expire. So may a value that is being computed or read at this very
        moment. The server's own log on disk holds a deleted value until it is next rewritten.
        """
        if self._forked:
            self._begin_anew()
        left = []
        for key in keys:
            self._drop(key)
            if self._server is not None:
                try:
                    forget(self._server, key, self._wake.channel)
                except LinkError:
                    left.append(key)
        return tuple(left)

    def _drop(self, key: str) -> None:
        for cache in (self, *self.beside):
            cache.near.drop(key)
            cache._errors.drop(key)  # noqa: SLF001 - a cache's own kind

    def _hear(self, key: str, blob: bytes) -> None:
        if not blob:
            self._drop(key)
            return
        if self.near.peek(key) is None:
            return
        envelope = Envelope.unpack(blob)
        if envelope is not None and envelope.kind != "error":
            kept = Kept(envelope, self.policy.beta, self._ground)
            self.near.replace(key, kept, unless=lambda old: old.envelope.fence >= envelope.fence)

    def _gap(self) -> None:
        # What was made without a lease is known to no other process, so nobody can have replaced it.
        for kept in self.near.values():
            if kept.envelope.fence > 0:
                kept.calm_until, kept.doubtful = -math.inf, True

    def _down(self) -> None:
        self._wake.wake_all()

    def _up(self) -> None:
        self._wake.reconnect_now()

    def _begin_anew(self) -> None:
        with self._starting:
            if self._forked:
                self._start()
                # Last: other threads go on with what is there as soon as they see it.
                self._forked = False

    def forked(self) -> None:
        """Take note, in a child, that threads and connections are the parent's."""
        self._forked = True
        self._starting = threading.Lock()
        self.near = Near(self.policy.near_size, float("inf"))

    def available(self) -> bool:
        """Tell whether Redis answered when it was last asked."""
        return self._server is not None and self._server.health.up

    def listening(self) -> bool:
        """Tell whether other processes' commits are heard as they come."""
        return self._server is not None and self._wake.connected

    def probe(self) -> bool:
        """Ask Redis now, whatever happened before; tell whether it answers."""
        return self._server is not None and self._server.health.check()

    def breaker_report(self) -> BreakerReport | None:
        """Return how the breaker around Redis stands, None without one."""
        return None if self._server is None else self._server.health.report()

    def pool_use(self) -> PoolUse:
        """Return connections in use, at most allowed, and callers that wait for one."""
        return PoolUse(0, 0, 0) if self._server is None else self._server.use()

    def events(self) -> Mapping[Event, int]:
        """Return how often each event happened."""
        return self.counters.totals()

    def close(self) -> None:
        """Let go of connections and threads; refreshes under way are finished, waiting ones dropped."""
        self._behind.close()
        if self._server is not None:
            self._wake.close()
            self._heartbeat.close()
            self._server.close()


_CACHES: weakref.WeakSet[Cache] = weakref.WeakSet()


def _after_fork() -> None:
    for cache in list(_CACHES):
        cache.forked()


os.register_at_fork(after_in_child=_after_fork)
