"""The classical ways, done right: an envelope a value, None a value too, locks that expire."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar, cast

import redis

from plantid_core.deadline import Deadline
from plantid_core.errors import DeadlineExceeded, LockLost
from plantid_core.resilience.early import is_early
from plantid_core.resilience.envelope import Envelope, encode
from plantid_core.resilience.flight import Flights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plantid_core.resilience.ground import Ground
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

    def __init__(self, address: Address, policy: Policy, ground: Ground) -> None:
        self._client = ground.client(address, answer_s=_ANSWER_S, max_connections=1000)
        self._policy, self._ground = policy, ground

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
        return (
            envelope
            if envelope is not None and self._ground.time() < envelope.hard_expiry
            else None
        )

    def _compute(self, key: str, compute: Callable[[], T]) -> T:
        began = self._ground.monotonic()
        value = compute()
        kind, payload = encode(value)
        ttl = self._policy.negative_ttl_s if value is None else self._policy.hard_ttl_s
        ttl *= 1 - self._policy.jitter * self._ground.draw()
        now, delta = self._ground.time(), self._ground.monotonic() - began
        envelope = Envelope(kind, 0, now, now + ttl, now + ttl, delta, payload)
        # It is computed, and to be returned all the same.
        with contextlib.suppress(redis.RedisError):
            self._client.set(key, envelope.pack(), px=max(1, int(ttl * 1000)))
        return value

    def _early(self, envelope: Envelope) -> bool:
        beta = self._policy.beta
        return is_early(
            self._ground.time(), envelope.soft_expiry, envelope.delta, beta, self._ground.draw()
        )


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

    def __init__(self, address: Address, policy: Policy, ground: Ground) -> None:
        super().__init__(address, policy, ground)
        self._flights: Flights[object] = Flights(ground.lock)

    def get(self, key: str, compute: Callable[[], T], *, deadline_s: float | None = None) -> T:
        """Return the key's value; see `Strategy.get`."""
        deadline = Deadline.after(_PATIENCE_S if deadline_s is None else deadline_s)

        def work() -> object:
            found = self._read(key)
            return found.value if found else self._compute(key, compute)

        return cast("T", self._flights.join(key, work, deadline))


class Locked(Plain):
    """``redis-lock`` and ``redlock``: who misses takes the lock, looks again, and then computes."""

    def __init__(
        self,
        address: Address,
        policy: Policy,
        ground: Ground,
        make_lock: Callable[[str, float], Lock] | None = None,
    ) -> None:
        super().__init__(address, policy, ground)
        self._new_lock = make_lock or self._redis_lock

    def _redis_lock(self, name: str, expire_s: float) -> Lock:
        return self._ground.redis_lock(self._client, name, expire_s)

    def _make_lock(self, name: str) -> Lock:
        return self._new_lock(name, self._policy.lease_s)

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


def make(
    name: str, address: Address, policy: Policy, masters: Sequence[Address], ground: Ground
) -> Strategy:
    """Return the strategy of that name; ``masters`` are redlock's."""
    if name == "redlock":
        return Locked(address, policy, ground, ground.redlock(masters, _MASTER_ANSWER_S))
    made = {
        "none": Plain, "xfetch": XFetch, "coalesce": Coalesce, "redis-lock": Locked,
        "xfetch+lock": XFetchLocked,
    }  # fmt: skip
    return made[name](address, policy, ground)
