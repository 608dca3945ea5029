"""The classical ways, done right: an envelope a value, None a value too, locks that expire."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

import redis

from plantid_core.deadline import Deadline
from plantid_core.errors import DeadlineExceeded, LockLost
from plantid_core.resilience.early import draw, is_early
from plantid_core.resilience.envelope import Envelope, encode
from plantid_core.resilience.flight import Flights
from plantid_core.resilience.locks import RedisLock
from plantid_core.resilience.redlock import Masters, Redlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.link import Address
    from plantid_core.resilience.locks import Lock
    from plantid_core.resilience.policy import Policy
    from plantid_core.resilience.strategies import Strategy

T = TypeVar("T")

# The lock's wait blocks on the server for a second at most; a command may take as long.
_ANSWER_S = 3.0
_MASTER_ANSWER_S = 0.2
_PATIENCE_S = 60.0


class Plain:
    """``none``: everybody who misses computes."""

    def __init__(self, address: Address, policy: Policy) -> None:
        self._client = address.client(answer_s=_ANSWER_S, max_connections=1000)
        self._policy = policy

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        del deadline_s
        found = self._read(key)
        return cast("T", found.value) if found else self._compute(key, compute)

    def close(self) -> None:
        """Let go of connections."""
        self._client.connection_pool.disconnect()

    def _read(self, key: str) -> Envelope | None:
        try:
            blob = self._client.get(key)
        except redis.RedisError:
            return None
        envelope = Envelope.unpack(blob) if isinstance(blob, bytes) else None
        return envelope if envelope is not None and time.time() < envelope.hard_expiry else None

    def _compute(self, key: str, compute: Callable[[], T]) -> T:
        began = time.monotonic()
        value = compute()
        kind, payload = encode(value)
        ttl = self._policy.negative_ttl_s if value is None else self._policy.hard_ttl_s
        ttl *= 1 - self._policy.jitter * draw()
        now, delta = time.time(), time.monotonic() - began
        envelope = Envelope(kind, 0, now, now + ttl, now + ttl, delta, payload)
        # It is computed, and to be returned all the same.
        with contextlib.suppress(redis.RedisError):
            self._client.set(key, envelope.pack(), px=max(1, int(ttl * 1000)))
        return value

    def _early(self, envelope: Envelope) -> bool:
        beta = self._policy.beta
        return is_early(time.time(), envelope.soft_expiry, envelope.delta, beta, draw())


class XFetch(Plain):
    """``xfetch``: early recomputation by whoever draws it, in the foreground, without a lock."""

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        del deadline_s
        found = self._read(key)
        if found is None or self._early(found):
            return self._compute(key, compute)
        return cast("T", found.value)


class Coalesce(Plain):
    """``coalesce``: one computation a process."""

    def __init__(self, address: Address, policy: Policy) -> None:
        super().__init__(address, policy)
        self._flights: Flights[object] = Flights()

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        deadline = Deadline.after(_PATIENCE_S if deadline_s is None else deadline_s)

        def work() -> object:
            found = self._read(key)
            return found.value if found else self._compute(key, compute)

        return cast("T", self._flights.join(key, work, deadline))


class _MakeLock(Protocol):
    def __call__(self, name: str) -> Lock: ...


class Locked(Plain):
    """``redis-lock`` and ``redlock``: who misses takes the lock, looks again, and then computes."""

    def __init__(self, address: Address, policy: Policy, make_lock: _MakeLock | None) -> None:
        super().__init__(address, policy)
        self._make_lock = make_lock or self._redis_lock

    def _redis_lock(self, name: str) -> Lock:
        return RedisLock(self._client, name, expire_s=self._policy.lease_s)

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        found = self._read(key)
        return cast("T", found.value) if found else self._under_lock(key, compute, deadline_s)

    def _under_lock(self, key: str, compute: Callable[[], T], deadline_s: float | None) -> T:
        patience = _PATIENCE_S if deadline_s is None else deadline_s
        lock = self._make_lock(key)
        try:
            if not lock.acquire(timeout_s=patience):
                raise DeadlineExceeded(patience)
        except redis.RedisError:
            return self._compute(key, compute)
        try:
            found = self._read(key)
            return cast("T", found.value) if found else self._compute(key, compute)
        finally:
            _give_back(lock)


class XFetchLocked(Locked):
    """``xfetch+lock``: who draws an early recomputation does it only if the lock is free."""

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        found = self._read(key)
        if found is None:
            return self._under_lock(key, compute, deadline_s)
        if not self._early(found):
            return cast("T", found.value)
        lock = self._make_lock(key)
        try:
            if not lock.acquire(blocking=False):
                return cast("T", found.value)
        except redis.RedisError:
            return cast("T", found.value)
        try:
            newer = self._read(key)
            if newer is not None and newer.stored > found.stored:
                return cast("T", newer.value)
            return self._compute(key, compute)
        finally:
            _give_back(lock)


def _give_back(lock: Lock) -> None:
    # The value is made; a lock that was lost has been somebody else's since, or expires.
    with contextlib.suppress(LockLost, redis.RedisError):
        lock.release()


def make(name: str, address: Address, policy: Policy, masters: list[Address]) -> Strategy:
    """Return the strategy of that name; ``masters`` are redlock's."""
    if name == "redlock":
        clients = [master.client(answer_s=_MASTER_ANSWER_S) for master in masters]
        quorum = Masters(clients)
        return Locked(address, policy, lambda key: Redlock(quorum, key, expire_s=policy.lease_s))
    if name == "redis-lock":
        return Locked(address, policy, None)
    if name == "xfetch+lock":
        return XFetchLocked(address, policy, None)
    return {"none": Plain, "xfetch": XFetch, "coalesce": Coalesce}[name](address, policy)
