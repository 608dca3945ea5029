"""A client for a Redis that may be gone: short timeouts, a bounded pool, at most one retry."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from plantid_core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypedDict, TypeVar

    T = TypeVar("T")

    class _Options(TypedDict):
        socket_connect_timeout: float
        socket_timeout: float
        health_check_interval: int
        max_connections: int
        retry: Retry
        retry_on_error: list[type[Exception]]


_POOL_WAIT_S = 0.2
_SENTINEL_PORT = 26379


class _OnceAfterReset(Retry):
    """One more attempt, at once, for a lost connection.

    None after a timeout, nor where no sentinel knew a master: each would double the wait.
    """

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1, supported_errors=(RedisConnectionError, ConnectionError))

    def call_with_retry(
        self,
        do: Callable[[], T],
        fail: Callable[[Exception], object] | Callable[[Exception, int], object],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,  # noqa: FBT001, FBT002 - the library's signature
    ) -> T:
        def helps(error: Exception) -> bool:
            if isinstance(error, MasterNotFoundError):
                return False
            return is_retryable is None or is_retryable(error)

        return super().call_with_retry(do, fail, helps, with_failure_count)


class _Sentinels(Sentinel):
    """Sentinels that any number of threads ask at once; the one that answered is asked first.

    The library's own search moves sentinels about in the list that other threads are reading, and
    can lose one for good: then the next failover may find nobody to ask.
    """

    _first = 0

    def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return host and port of the master; raises `MasterNotFoundError`."""
        count, first = len(self.sentinels), self._first
        for place in ((first + step) % count for step in range(count)):
            try:
                found = self.sentinels[place].sentinel_master(service_name)
            except (RedisConnectionError, ResponseError, RedisTimeoutError):
                continue
            state = cast("dict[str, object]", found)
            if self.check_master_state(state, service_name):  # type: ignore[no-untyped-call]
                self._first = place
                return str(state["ip"]), int(str(state["port"]))
        raise MasterNotFoundError(f"No sentinel of {count} knows a master {service_name!r}.")


def connect(
    url: str,
    *,
    connect_timeout_s: float = 0.1,
    socket_timeout_s: float = 0.2,
    max_connections: int = 50,
    health_check_interval_s: int = 15,
) -> redis.Redis:
    """Return a client that connects on first use; all durations in seconds.

    A reset connection is tried once more, since servers close idle ones; a timeout is not, since it
    would double the wait. ``redis+sentinel://[user:password@]host[:port][,host…]/service[/db]`` asks
    sentinels for the master. Raises `ConfigurationError` for an address that cannot be used.
    """
    options: _Options = {
        "socket_connect_timeout": connect_timeout_s,
        "socket_timeout": socket_timeout_s,
        "health_check_interval": health_check_interval_s,
        "max_connections": max_connections,
        "retry": _OnceAfterReset(),
        "retry_on_error": [],
    }
    try:
        if url.startswith("redis+sentinel://"):
            return _from_sentinel(url, options)
        return _from_url(url, options)
    except (ValueError, IndexError, TypeError):
        # Not chained: the library's message quotes parts of the address, a password among them.
        fault = f"PLANTID_REDIS_URL ({redact(url)}) cannot be used"
        raise ConfigurationError([fault]) from None


def _from_url(url: str, options: _Options) -> redis.Redis:
    pool = redis.BlockingConnectionPool.from_url(url, timeout=_POOL_WAIT_S, **options)
    # Made and dropped unconnected: an option the address misspells is found now, not at first use.
    pool.connection_class(**pool.connection_kwargs)
    return redis.Redis(connection_pool=pool)


def _from_sentinel(url: str, options: _Options) -> redis.Redis:
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if not service or not all(hosts):
        raise ValueError("a sentinel address needs hosts and a service")
    # A sentinel is asked once: the next one in the list is its retry.
    asking = {**options, "retry": Retry(NoBackoff(), 0)}
    sentinel = _Sentinels(  # type: ignore[no-untyped-call]  # the library has no types here
        [_node(host) for host in hosts], sentinel_kwargs=asking
    )
    master: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]  # nor here
        service,
        db=int(database or 0),
        username=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        **options,
    )
    return master


def _node(host: str) -> tuple[str, int]:
    parts = urlsplit(f"//{host}")
    if not parts.hostname:
        raise ValueError("a sentinel needs a host")
    return parts.hostname, parts.port or _SENTINEL_PORT


def redact(url: str) -> str:
    """Return the address without its password, also where the address is malformed."""
    # Up to the last @: a password may hold unescaped characters that end it for a URL parser.
    # An address without a host (unix:///path) has no credentials before its path.
    url = re.sub(r"^(\w[^:/]*://)(?!/)([^:@/]*).*@", r"\1\2:***@", url, flags=re.DOTALL)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", url)
