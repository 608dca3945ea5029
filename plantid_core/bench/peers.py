"""The caches that are measured side by side, by name: ours, and what others have published.

dogpile.cache and cashews are in the extra ``bench``; where one is missing, its rows are left out.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import orjson
import redis
import redis_lock

from plantid_core.resilience.ground import REAL
from plantid_core.resilience.link import Address
from plantid_core.resilience.policy import Policy
from plantid_core.resilience.strategies import classic, leased, seed
from plantid_core.store.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Producer = Callable[[], object]
    Tell = Callable[[str], None]

_KEPT_S = 3600
_LOCK_S = 30
_BRIEF_S = 5


class Contestant(Protocol):
    """A cache, used from any number of threads."""

    def get(self, key: str, compute: Producer) -> object:
        """Return the key's value, cached or computed."""

    def close(self) -> None:
        """Let go of connections and threads."""


class Dogpile:
    """dogpile.cache over Redis, with its lock for many processes."""

    def __init__(self, url: str, **arguments: object) -> None:
        self._region = import_module("dogpile.cache").make_region()
        own = {"url": url, "distributed_lock": True, "thread_local_lock": False}
        lock = {"lock_timeout": _LOCK_S}
        # Kept for ever: its expiry uses a call that redis-py has deprecated, with a warning a time.
        self._region.configure("dogpile.cache.redis", arguments={**own, **lock, **arguments})

    def get(self, key: str, compute: Producer) -> object:
        """Return the key's value."""
        value: object = self._region.get_or_create(f"dogpile:{key}", compute)
        return value

    def close(self) -> None:
        """Let go of connections."""
        self._region.backend.writer_client.close()


class LockPattern:
    """What redis-py's manual teaches: its own ``Lock`` around a second look; JSON as the value."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def get(self, key: str, compute: Producer) -> object:
        """Return the key's value."""
        name = f"pattern:{key}"
        if isinstance(blob := self._client.get(name), bytes):
            return orjson.loads(blob)
        with self._client.lock(f"{name}:lock", timeout=_LOCK_S):
            if isinstance(blob := self._client.get(name), bytes):
                return orjson.loads(blob)
            value = compute()
            self._client.set(name, orjson.dumps(value), ex=_KEPT_S)
            return value

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()


class Cashews:
    """cashews with ``lock=True``, on an event loop of its own; threads hand their calls to it."""

    def __init__(self, url: str) -> None:
        cashews = import_module("cashews")
        backend = import_module("cashews.backends.redis").Redis
        pickler = import_module("cashews.picklers").PicklerType.DEFAULT
        # Of itself it takes no address of a unix socket.
        cashews.register_backend("unix", backend, pass_uri=True, pickler=pickler)
        cache = cashews.Cache()
        cache.setup(url)

        @cache(ttl=_KEPT_S, key="cashews:{key}", lock=True)  # type: ignore[untyped-decorator]
        async def fetch(key: str, compute: Producer) -> object:
            del key
            return await asyncio.to_thread(compute)

        self._cache, self._fetch = cache, fetch
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def get(self, key: str, compute: Producer) -> object:
        """Return the key's value."""
        return self._run(self._fetch(key, compute))

    def gets(self, key: str, compute: Producer, count: int) -> None:
        """Get the value so many times without leaving the event loop."""

        async def all_of_them() -> None:
            for _ in range(count):
                await self._fetch(key, compute)

        self._run(all_of_them())

    def close(self) -> None:
        """Let go of connections and the event loop."""
        self._run(self._cache.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> object:  # noqa: ANN401 - a coroutine of the library
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class BriefSeed(seed.SeedLock):
    """``seed-lock`` whose lock expires after five seconds instead of thirty."""

    def _locked(self, key: str) -> redis_lock.Lock:
        lock = redis_lock.Lock(self._client, f"lock:{key}", expire=_BRIEF_S, auto_renewal=True)
        if not lock.acquire(timeout=_LOCK_S):
            raise redis_lock.NotAcquired(key)
        return lock


_OURS: dict[str, Callable[[Address, Policy], Contestant]] = {
    "lease": leased.LeaseStrategy,
    "lease over redis-py": partial(leased.LeaseStrategy, thin=False),
    "redis-lock": lambda address, policy: classic.Locked(address, policy, REAL),
    "xfetch": lambda address, policy: classic.XFetch(address, policy, REAL),
    "seed-lock": lambda address, policy: seed.SeedLock(address, policy, REAL),
    "seed-lock, 5 s": lambda address, policy: BriefSeed(address, policy, REAL),
}
_OTHERS: dict[str, Callable[[str], Contestant]] = {
    "dogpile": Dogpile,
    "dogpile 10 ms": partial(Dogpile, lock_sleep=0.01),
    "redis-py Lock": LockPattern,
    "cashews": Cashews,
}


def make(name: str, url: str, policy: Policy | None = None) -> Contestant:
    """Return the contestant of that name at an address; ``policy`` is for ours."""
    logging.getLogger("redis_lock").setLevel(logging.ERROR)
    if name in _OTHERS:
        return _OTHERS[name](url)
    return _OURS[name](Address.of(connect(url)), policy or Policy())


def present(names: Iterable[str], tell: Tell) -> list[str]:
    """Return the names whose library is installed; ``tell`` hears of those left out."""
    found = []
    for name in names:
        library = name.split()[0]
        if library in {"dogpile", "cashews"} and importlib.util.find_spec(library) is None:
            tell(f"{name} is left out: install the extra 'bench'")
        else:
            found.append(name)
    return found
