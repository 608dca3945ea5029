"""A client for a Redis that may be gone: short timeouts, a bounded pool, at most one retry."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel

from plantid_core.errors import ConfigurationError

if TYPE_CHECKING:
    from typing import TypedDict

    class _Options(TypedDict):
        socket_connect_timeout: float
        socket_timeout: float
        health_check_interval: int
        retry: Retry
        retry_on_error: list[type[Exception]]


_POOL_WAIT_S = 0.2
_SENTINEL_PORT = 26379


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
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError, ConnectionError)),
        "retry_on_error": [],
    }
    try:
        if url.startswith("redis+sentinel://"):
            return _from_sentinel(url, options)
        pool = redis.BlockingConnectionPool.from_url(
            url, max_connections=max_connections, timeout=_POOL_WAIT_S, **options
        )
    except (ValueError, IndexError) as error:
        raise ConfigurationError([f"PLANTID_REDIS_URL ({redact(url)}) cannot be used"]) from error
    return redis.Redis(connection_pool=pool)


def _from_sentinel(url: str, options: _Options) -> redis.Redis:
    parts = urlsplit(url)
    service, _, database = parts.path.strip("/").partition("/")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if not service or not all(hosts):
        raise ValueError("a sentinel address needs hosts and a service")
    nodes = []
    for host in hosts:
        name, _, port = host.partition(":")
        nodes.append((name, int(port or _SENTINEL_PORT)))
    sentinel = Sentinel(  # type: ignore[no-untyped-call]  # the library has no types here
        nodes, sentinel_kwargs={"socket_timeout": options["socket_timeout"]}
    )
    master: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]  # nor here
        service,
        db=int(database or 0),
        username=parts.username or None,
        password=parts.password or None,
        **options,
    )
    return master


def redact(url: str) -> str:
    """Return the address without its password."""
    parts = urlsplit(url)
    credentials, at, hosts = parts.netloc.rpartition("@")
    if not at:
        return url
    return parts._replace(netloc=f"{credentials.split(':')[0]}:***@{hosts}").geturl()
