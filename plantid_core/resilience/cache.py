"""The shared cache: one Redis GET a hit, one computation a miss, and none of it needed to answer.

When Redis fails in any way the cache steps aside: callers compute (once a key and process), what
they computed is kept in process, and Redis is tried again once a second.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import redis

from plantid_core.resilience.envelope import Envelope
from plantid_core.resilience.flight import Flights
from plantid_core.resilience.near import Near

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from plantid_core.deadline import Deadline
    from plantid_core.resilience.envelope import Kind

    Compute: TypeAlias = Callable[[], tuple[Kind, bytes]]

Origin = Literal["upstream", "near", "redis"]

_PROBE_EVERY_S = 1.0
_NEAR_SIZE = 512


@dataclass(frozen=True, slots=True)
class Cached:
    """A payload, where it came from, and its age in seconds."""

    payload: bytes
    origin: Origin
    age_s: float


@dataclass(frozen=True, slots=True)
class Policy:
    """Seconds a value may be served: fresh (soft), kept at all (hard), and for "no such plant"."""

    soft_ttl_s: float = 1800.0
    hard_ttl_s: float = 86400.0
    negative_ttl_s: float = 600.0


class Cache:
    """A cache over ``client``, which may be None (no Redis to be had) or die at any time."""

    def __init__(self, client: redis.Redis | None, policy: Policy) -> None:
        self._client = client
        self._policy = policy
        self._flights: Flights[Cached] = Flights()
        self._near: Near[bytes] = Near(_NEAR_SIZE, policy.soft_ttl_s)
        self._down_until = 0.0
        self._lock = threading.Lock()

    def get(self, key: str, compute: Compute, deadline: Deadline, *, fresh: bool = False) -> Cached:
        """Return the cached payload for ``key``, or compute, keep and return it.

        ``compute`` returns the payload's kind and bytes; what it raises goes to every caller that
        waited for it, and is not kept. ``fresh`` computes anew and keeps the result.
        """
        flight = f"{key}:fresh" if fresh else key
        return self._flights.join(flight, lambda: self._lookup(key, compute, fresh=fresh), deadline)

    def _lookup(self, key: str, compute: Compute, *, fresh: bool) -> Cached:
        found = None if fresh else self._read(key)
        if found is not None:
            return found
        began = time.monotonic()
        kind, payload = compute()
        self._write(key, kind, payload, time.monotonic() - began)
        return Cached(payload, "upstream", 0.0)

    def _read(self, key: str) -> Cached | None:
        blob = self._try(lambda client: client.get(f"{{{key}}}:v"))
        if isinstance(blob, bytes) and (envelope := Envelope.unpack(blob)):
            now = time.time()
            if now < envelope.soft_expiry:
                return Cached(envelope.payload, "redis", max(0.0, now - envelope.stored))
        if self.available():
            return None
        kept = self._near.get(key)
        return None if kept is None else Cached(kept[1], "near", kept[0])

    def _write(self, key: str, kind: Kind, payload: bytes, delta: float) -> None:
        now, negative = time.time(), kind == "negative"
        soft = self._policy.negative_ttl_s if negative else self._policy.soft_ttl_s
        hard = self._policy.negative_ttl_s if negative else self._policy.hard_ttl_s
        blob = Envelope(kind, now, now + soft, now + hard, delta, payload).pack()
        self._near.put(key, payload)
        self._try(lambda client: client.set(f"{{{key}}}:v", blob, px=int(hard * 1000)))

    def available(self) -> bool:
        """Tell whether Redis answered when it was last asked."""
        return self._client is not None and self._down_until == 0.0

    def probe(self) -> bool:
        """Ask Redis now, whatever happened before; tell whether it answers."""
        self._try(lambda client: client.ping(), now=True)
        return self.available()

    def probe_if_due(self) -> None:
        """Ask Redis again, if it failed and has been left alone for long enough."""
        if 0.0 < self._down_until <= time.monotonic():
            self.probe()

    def _try(self, command: Callable[[redis.Redis], object], *, now: bool = False) -> object:
        if self._client is None or (not now and time.monotonic() < self._down_until):
            return None
        try:
            result = command(self._client)
        except redis.RedisError:
            with self._lock:
                self._down_until = time.monotonic() + _PROBE_EVERY_S
            return None
        self._down_until = 0.0
        return result
