"""Plain locks, for anyone who needs one; over one Redis here, over several masters in `redlock`.

A lock always expires. While it is held a thread renews it, and tells the holder if it was lost
(``lost``, ``on_lost``, and `LockLost` at the end of a ``with``). There is no reset of strangers'
locks: a dead holder's expires, and those who wait find out by themselves.
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING, Protocol

import redis
import redis_lock

from plantid_core.errors import LockLost, LockNotAcquired
from plantid_core.resilience.ground import REAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from plantid_core.resilience.ground import Ground

_LONGEST_NAP_S = 1.0


class _Held(Protocol):
    """The part of a lock that its renewer needs."""

    expire_s: float

    def extend(self) -> bool:
        """Lengthen the lock; False where it is known to be lost."""


class Renewer:
    """Extends a held lock three times in its length, until it is stopped or the lock is lost."""

    def __init__(self, lock: _Held, on_lost: Callable[[], object]) -> None:
        self._lock, self._on_lost = lock, on_lost
        self._stop = threading.Event()
        self.lost = False
        self._thread = threading.Thread(target=self._run, name="lock-renewer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the renewing; an extension under way is finished first."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        extended = time.monotonic()
        while not self._stop.wait(self._lock.expire_s / 3):
            try:
                held = self._lock.extend()
            except redis.RedisError:
                # Not known to be lost while the time of the last extension has not run out.
                held = time.monotonic() - extended < self._lock.expire_s
            else:
                extended = time.monotonic()
            if not held:
                self.lost = True
                self._on_lost()
                return


class Lock:
    """What both kinds share: acquire, release, renewal, and use in a ``with``.

    ``expire_s`` is the time after which a dead holder's lock is free. ``acquire`` waits
    ``timeout_s`` seconds at most (None: for ever).
    """

    def __init__(
        self,
        name: str,
        expire_s: float,
        *,
        timeout_s: float | None,
        auto_renewal: bool,
        on_lost: Callable[[], object],
        ground: Ground | None = None,
    ) -> None:
        self._ground = ground or REAL
        self.name, self.expire_s = name, expire_s
        self._timeout_s, self._auto_renewal, self._on_lost = timeout_s, auto_renewal, on_lost
        self._renewer: Renewer | None = None
        self._taken = False

    @property
    def lost(self) -> bool:
        """Tell whether the renewer found the lock gone."""
        return self._renewer is not None and self._renewer.lost

    def acquire(self, *, blocking: bool = True, timeout_s: float | None = None) -> bool:
        """Take the lock; False where it was not free in time.

        Raises `LockNotAcquired` in an object that holds it already: it is not reentrant.
        """
        if self._taken:
            raise LockNotAcquired(self.name, 0.0)
        until = math.inf if timeout_s is None else self._ground.monotonic() + timeout_s
        while not self._take():
            left = until - self._ground.monotonic()
            if not blocking or left <= 0:
                return False
            self._nap(min(left, _LONGEST_NAP_S))
        self._taken = True
        if self._auto_renewal:
            self._renewer = Renewer(self, self._on_lost)
        return True

    def release(self) -> None:
        """Give the lock back; raises `LockLost` where it was not ours any more."""
        renewer, self._renewer, self._taken = self._renewer, None, False
        if renewer is not None:
            renewer.stop()
        if not self._give_back():
            raise LockLost(self.name)

    def extend(self) -> bool:
        """Lengthen the lock to its full time again; False where it is lost."""
        raise NotImplementedError

    def _take(self) -> bool:
        raise NotImplementedError

    def _give_back(self) -> bool:
        raise NotImplementedError

    def _nap(self, seconds: float) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        began = time.monotonic()
        if not self.acquire(timeout_s=self._timeout_s):
            raise LockNotAcquired(self.name, time.monotonic() - began)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self.release()
        except LockLost:
            if error is None:
                raise


class RedisLock(Lock):
    """python-redis-lock, mended: waiters notice a dead holder, and a lost lock is told.

    ``client`` must allow commands that block for a second. The library counts whole seconds, so
    ``expire_s`` is rounded up.
    """

    def __init__(
        self,
        client: redis.Redis,
        name: str,
        *,
        expire_s: float = 10.0,
        timeout_s: float | None = None,
        auto_renewal: bool = True,
        on_lost: Callable[[], object] = lambda: None,
        ground: Ground | None = None,
    ) -> None:
        expire = max(1, math.ceil(expire_s))
        super().__init__(
            name, expire, timeout_s=timeout_s, auto_renewal=auto_renewal, on_lost=on_lost,
            ground=ground,
        )  # fmt: skip
        self._client = client
        self._lock = redis_lock.Lock(client, name, expire=expire)

    @property
    def id(self) -> str:
        """Return this lock's own id."""
        return str(self._lock.id)

    @property
    def owner(self) -> str | None:
        """Return the id of whoever holds the lock now."""
        owner = self._lock.get_owner_id()
        return None if owner is None else str(owner)

    def extend(self) -> bool:
        """Lengthen the lock to its full time again; False where it is lost."""
        try:
            self._lock.extend()
        except redis_lock.NotAcquired:
            return False
        return True

    def _take(self) -> bool:
        return bool(self._lock.acquire(blocking=False))

    def _give_back(self) -> bool:
        try:
            self._lock.release()
        except redis_lock.NotAcquired:
            return False
        return True

    def _nap(self, seconds: float) -> None:
        # A release pushes to this list; an expiry does not, so nobody sleeps past the expiry.
        left_ms = int(self._client.pttl(f"lock:{self.name}"))
        if left_ms > 0:
            seconds = min(seconds, left_ms / 1e3)
        self._client.blpop([f"lock-signal:{self.name}"], max(0.01, seconds))
