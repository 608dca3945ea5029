"""Counts that processes share through Redis, and that each keeps alone while Redis is away."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from limits.storage import MemoryStorage, RedisStorage
from redis.exceptions import RedisError

from plantid_core.telemetry import tell

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis

    from plantid_core.resilience.link import Address

Storage: TypeAlias = RedisStorage | MemoryStorage
T = TypeVar("T")

PREFIX = "plantid:quota"
_ANSWER_S = 0.2
_CONNECTIONS = 8
_ALONE_S = 5.0


class Counts:
    """Runs jobs on the shared counts, or on this process's own for seconds after Redis failed."""

    def __init__(self, address: Address | None) -> None:
        self._own = MemoryStorage()
        self._client: redis.Redis | None = None
        self._shared: RedisStorage | None = None
        self._alone_until = 0.0
        if address is not None:
            self._client = address.client(answer_s=_ANSWER_S, max_connections=_CONNECTIONS)
            pool = self._client.connection_pool
            self._shared = RedisStorage("redis://", connection_pool=pool, key_prefix=PREFIX)

    def run(self, job: Callable[[Storage], T]) -> T:
        """Return the job's result; no trouble of Redis reaches the caller."""
        if self._shared is not None and time.monotonic() >= self._alone_until:
            try:
                return job(self._shared)
            except (RedisError, OSError) as error:
                self._alone(error)
        return job(self._own)

    def run_at(self, storage: Storage, job: Callable[[Storage], T]) -> T | None:
        """Return the job's result on one storage and no other, None where it cannot be reached."""
        try:
            return job(storage)
        except (RedisError, OSError) as error:
            self._alone(error)
            return None

    def ask(self, job: Callable[[redis.Redis], T]) -> T | None:
        """Return what Redis itself says, None where it says nothing."""
        if self._client is None or time.monotonic() < self._alone_until:
            return None
        try:
            return job(self._client)
        except (RedisError, OSError) as error:
            self._alone(error)
            return None

    def _alone(self, error: Exception) -> None:
        self._alone_until = time.monotonic() + _ALONE_S
        tell("quota_alone", reason=type(error).__name__)

    def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            self._client.close()
            self._client.connection_pool.disconnect()
