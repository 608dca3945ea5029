"""A modelled Redis on a virtual clock, for redis-py's calls, for python-redis-lock's and for the lease's.

The lease's scripts are those of `plantid_core.lab.schedules.redis_model`, which a test holds to a real
server. Locks are taken not to expire: their holders live, and renew them.
"""

from __future__ import annotations

import hashlib
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, cast

import redis
import redis_lock

from plantid_core.lab.schedules.redis_model import RedisModel
from plantid_core.resilience import redlock
from plantid_core.resilience.envelope import Envelope
from plantid_core.resilience.lease import (
    COMMIT,
    GET_OR_LEASE,
    Granted,
    Hit,
    Lease,
    value_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.simulate.clock import Clock
    from plantid_core.resilience.link import Reply
    from plantid_core.resilience.subscriber import Ear

_UNLOCK = hashlib.sha1(redis_lock.UNLOCK_SCRIPT, usedforsecurity=False).hexdigest()
_MARK = b"mark"
# As long as python-redis-lock lets a signal lie that nobody takes.
_SIGNAL_S = 1.0


class Store:
    """All keys of one server, and who listens."""

    def __init__(self, clock: Clock, wake_s: Callable[[], float]) -> None:
        self.clock, self._wake_s = clock, wake_s
        self.ears: list[Ear] = []
        self._values: dict[str, tuple[bytes, float]] = {}
        self._leases: dict[str, RedisModel] = {}
        self._signals: dict[str, float] = {}
        self._poppers: dict[str, deque[_Popper]] = {}

    def get(self, key: str) -> bytes | None:
        """Return the value that has not expired."""
        found = self._values.get(key)
        return found[0] if found is not None and self.clock.now < found[1] else None

    def set(self, key: str, value: bytes, keep_s: float) -> None:
        """Keep a value so long."""
        self._values[key] = value, self.clock.now + keep_s

    def fresh(self, key: str) -> bool:
        """Tell whether a key has a value whose soft expiry is not past, by whatever strategy."""
        for blob in (self.get(key), self.lease_of(value_key(key)).get(), self.get(f"{key}:data")):
            if blob is not None:
                envelope = Envelope.unpack(blob)
                return envelope is None or self.clock.now < envelope.soft_expiry
        return False

    def lock(self, key: str, owner: bytes) -> bool:
        """Take a lock that is free."""
        if self.get(key) is not None:
            return False
        self._values[key] = owner, float("inf")
        return True

    def unlock(self, key: str, owner: bytes) -> bool:
        """Free a lock of one's own."""
        if self.get(key) != owner:
            return False
        del self._values[key]
        return True

    def push_one(self, key: str) -> None:
        """Leave one signal, the only one, for whoever waits longest or comes next."""
        queue = self._poppers.get(key)
        if queue:
            popper = queue.popleft()
            popper.told = True
            popper.wake()
        else:
            self._signals[key] = self.clock.now + _SIGNAL_S

    def pop(self, key: str, seconds: float) -> bool:
        """Take a signal, or wait for one so long."""
        if self.clock.now < self._signals.pop(key, 0.0):
            return True
        popper = _Popper(self.clock.pause())
        queue = self._poppers.setdefault(key, deque())
        queue.append(popper)
        if seconds > 0:
            self.clock.at(self.clock.now + seconds, lambda: _give_up(queue, popper))
        self.clock.rest()
        return popper.told

    def lease_of(self, key: str) -> RedisModel:
        """Return the model of a key's value and lease."""
        if key not in self._leases:
            self._leases[key] = RedisModel(lambda: self.clock.now)
        return self._leases[key]

    def publish(self, body: bytes) -> None:
        """Tell every process, each when its subscriber wakes."""
        for ear in self.ears:
            self.clock.at(self.clock.now + self._wake_s(), partial(ear.message, body))


class _Popper:
    """Who waits for a signal."""

    __slots__ = ("told", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake, self.told = wake, False


def _give_up(queue: deque[_Popper], popper: _Popper) -> None:
    if popper in queue:
        queue.remove(popper)
        popper.wake()


class VirtualRedis(redis.Redis):
    """redis-py's face on a `Store`: the commands that strategies and python-redis-lock send."""

    def __init__(
        self, store: Store, command_s: Callable[[], float], signal_s: Callable[[], float]
    ) -> None:
        super().__init__()
        self._store, self._command_s, self._signal_s = store, command_s, signal_s

    def _half(self) -> float:
        half = self._command_s() / 2
        self._store.clock.sleep(half)
        return half

    def get(self, name: object) -> bytes | None:
        """Do what GET does."""
        half = self._half()
        found = self._store.get(str(name))
        self._store.clock.sleep(half)
        return found

    def set(self, name: object, value: object, **options: object) -> bool:  # type: ignore[override]
        """Do what SET with PX, or with NX and EX, does."""
        half = self._half()
        taken = True
        if options.get("nx"):
            taken = self._store.lock(str(name), _bytes(value))
        else:
            self._store.set(str(name), _bytes(value), cast("int", options["px"]) / 1e3)
        self._store.clock.sleep(half)
        return taken

    def pttl(self, name: object) -> int:
        """Do what PTTL does for a lock that is kept alive."""
        half = self._half()
        left = 1000 if self._store.get(str(name)) is not None else -2
        self._store.clock.sleep(half)
        return left

    def blpop(self, keys: object, timeout: float | None = 0) -> list[bytes] | None:  # type: ignore[override]
        """Do what BLPOP does."""
        key = str(keys[0] if isinstance(keys, list) else keys)
        self._store.clock.sleep(self._command_s())
        told = self._store.pop(key, timeout or 0)
        self._store.clock.sleep(self._signal_s() if told else 0.0)
        return [key.encode(), b"1"] if told else None

    def evalsha(self, sha: str, numkeys: int, *words: object) -> int:
        """Do what python-redis-lock's script of that digest does."""
        del numkeys
        if sha != _UNLOCK:
            raise NotImplementedError(f"no model of the script {sha}")
        name, signal, owner = str(words[0]), str(words[1]), _bytes(words[2])
        half = self._half()
        freed = self._store.unlock(name, owner)
        if freed:
            self._store.push_one(signal)
        self._store.clock.sleep(half)
        return 0 if freed else 1

    def eval(self, script: str, numkeys: int, *words: object) -> list[object]:
        """Do what a script of the quorum lock does."""
        del numkeys
        key, owner = str(words[0]), _bytes(words[2])
        half = self._half()
        if script == redlock.TAKE:
            said = self._store.lock(key, owner)
        elif script == redlock.GIVE_BACK:
            said = self._store.unlock(key, owner)
        else:
            raise NotImplementedError("no model of this script")
        self._store.clock.sleep(half)
        return [int(said), _MARK]


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


class _Health:
    """A server that is always well."""

    up = True

    def close(self) -> None:
        """Do nothing: nothing was begun."""


class VirtualServer:
    """The lease's server on a `Store`."""

    def __init__(self, store: Store, link_s: Callable[[], float], database: int = 0) -> None:
        self._store, self._link_s, self._database = store, link_s, database
        self.health = _Health()
        self.address = self

    @property
    def database(self) -> int:
        """Return the database's number."""
        return self._database

    def get(self, key: str) -> bytes | None:
        """Do what GET does."""
        half = self._link_s() / 2
        self._store.clock.sleep(half)
        found = self._store.lease_of(key).get()
        self._store.clock.sleep(half)
        return found

    def run(self, script: str, keys: tuple[str, ...], *words: bytes | str | int) -> Reply:
        """Do what one of the lease's scripts does."""
        half = self._link_s() / 2
        self._store.clock.sleep(half)
        reply = self._run(script, keys, words)
        self._store.clock.sleep(half)
        return reply

    def _run(
        self, script: str, keys: tuple[str, ...], words: tuple[bytes | str | int, ...]
    ) -> Reply:
        if script == GET_OR_LEASE:
            key = keys[0].removeprefix("{").removesuffix("}:v")
            token, lease_ms, known = str(words[0]), int(words[1]), _bytes(words[2])
            found = self._store.lease_of(keys[0]).acquire(key, token, lease_ms / 1e3, known)
            match found:
                case Hit(blob):
                    return [1, blob]
                case Granted(lease):
                    return [2, str(lease.fence).encode()]
                case _:
                    return [3, round(found.left_s * 1e3)]
        key = keys[-1].removeprefix("{").removesuffix("}:l")
        fence, _, token = str(words[0]).partition(":")
        lease = Lease(key, int(fence), token)
        model = self._store.lease_of(value_key(key))
        if script == COMMIT:
            told, keep_s = _bytes(words[1]), int(words[2]) / 1e3
            done = model.commit(lease, told, keep_s)
            if not done.accepted:
                return [0, done.blob]
            self._store.publish(_bytes(words[4]) + told)
            return [1]
        return int(model.renew(lease, int(words[1]) / 1e3))

    def use(self) -> object:
        """Return nothing: there is no pool."""
        return None

    def close(self) -> None:
        """Do nothing: nothing was opened."""
