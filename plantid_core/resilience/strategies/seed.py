"""A well-known write-up's snippets, as named contestants ("seed, as written").

Each does what its original does, mistakes included; only what raises at once (a wrong keyword, a
missing name) is mended, else there would be nothing to watch. None means "not cached" in all of them.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from typing import TYPE_CHECKING, TypeVar, cast

import orjson
import pybreaker
import redis
import redis_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.ground import Baton, Ground, LibraryLock
    from plantid_core.resilience.link import Address
    from plantid_core.resilience.policy import Policy
    from plantid_core.resilience.strategies import Strategy

T = TypeVar("T")

_LOCK_EXPIRES_S = 30
_PATIENCE_S = 35

# The library warns of every lock that is not acquired at once.
logging.getLogger("redis_lock").setLevel(logging.ERROR)


class _Seed:
    """What stood for Django's cache: JSON under a key, errors of the connection swallowed."""

    def __init__(self, address: Address, policy: Policy, ground: Ground) -> None:
        self._client = ground.client(address, answer_s=None, max_connections=1000)
        self._policy, self._ground = policy, ground

    def close(self) -> None:
        """Let go of connections."""
        self._client.connection_pool.disconnect()

    def _read(self, key: str) -> object:
        try:
            blob = self._client.get(key)
        except redis.ConnectionError:
            return None
        return orjson.loads(blob) if isinstance(blob, bytes) else None

    def _write(self, key: str, value: object) -> None:
        with contextlib.suppress(redis.ConnectionError):  # as written: it fails silently
            self._client.set(key, orjson.dumps(value), px=int(self._policy.hard_ttl_s * 1000))

    def _locked(self, key: str) -> LibraryLock:
        # Named twice, as written: the library puts "lock:" before it again.
        lock = self._ground.library_lock(self._client, f"lock:{key}", _LOCK_EXPIRES_S)
        if not lock.acquire(timeout=_PATIENCE_S):  # mended: there is no blocking_timeout
            raise redis_lock.NotAcquired(key)
        return lock


class SeedLock(_Seed):
    """``seed-lock``: double-checked locking in which None and errors are never kept."""

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        del deadline_s
        if (cached := self._read(key)) is not None:
            return cast("T", cached)
        lock = self._locked(key)
        try:
            if (cached := self._read(key)) is not None:
                return cast("T", cached)
            value = compute()
            self._write(key, value)
            return value
        finally:
            lock.release()


class SeedEarly(_Seed):
    """``seed-early``: "probabilistic early recomputation" whose random term has the wrong sign."""

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        del deadline_s
        ttl = self._policy.hard_ttl_s
        cached, made = self._read(f"{key}:data"), self._read(f"{key}:time")
        if cached is not None and isinstance(made, float):
            elapsed = self._ground.time() - made
            delta = ttl * self._policy.beta * math.log(self._ground.draw())
            if elapsed + delta < ttl:
                return cast("T", cached)
        value = compute()
        self._write(f"{key}:data", value)
        self._write(f"{key}:time", self._ground.time())
        return value


class SeedCoalesce(_Seed):
    """``seed-coalesce``: waiters read a table that keeps the last success for ever."""

    def __init__(self, address: Address, policy: Policy, ground: Ground) -> None:
        super().__init__(address, policy, ground)
        self._pending: dict[str, object] = {}
        self._locks: dict[str, Baton] = {}
        self._global = threading.Lock()

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        del deadline_s
        if (cached := self._read(key)) is not None:
            return cast("T", cached)
        with self._global:
            lock = self._locks.setdefault(key, self._ground.lock())
        if not lock.acquire(blocking=False):
            lock.acquire()
            try:
                return cast("T", self._pending.get(key))
            finally:
                lock.release()
        try:
            value = compute()
            self._pending[key] = value
            self._write(key, value)
            return value
        finally:
            lock.release()
            with self._global:
                self._locks.pop(key, None)


class SeedCombined(_Seed):
    """``seed-combined``: lock and circuit breaker; nothing that is false is ever cached."""

    def __init__(self, address: Address, policy: Policy, ground: Ground) -> None:
        super().__init__(address, policy, ground)
        self._breaker = ground.library_breaker(fail_max=5, reset_s=60)

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`. None where breaker or lock refuse."""
        del deadline_s
        if (cached := self._read(key)) is not None:
            return cast("T", cached)
        try:
            lock = self._locked(key)
        except redis_lock.NotAcquired:  # mended: there is no LockNotOwnedError
            return cast("T", None)
        try:
            if (cached := self._read(key)) is not None:
                return cast("T", cached)
            try:
                value = self._breaker.call(compute)
            except pybreaker.CircuitBreakerError:
                return cast("T", None)
            if value:
                self._write(key, value)
            return value
        finally:
            lock.release()


MADE: dict[str, Callable[[Address, Policy, Ground], Strategy]] = {
    "seed-lock": SeedLock,
    "seed-early": SeedEarly,
    "seed-coalesce": SeedCoalesce,
    "seed-combined": SeedCombined,
}
