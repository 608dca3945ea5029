"""Ends a connection at the request's deadline, whatever its thread waits for.

A socket's own timeout begins anew with every byte, so a service that drips its headers, or reads a
photo a little at a time, could hold a thread for hours. A shut socket ends every wait on it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from urllib3 import PoolManager, ProxyManager


class _Exchange:
    """One request's sockets, shut when its time is over."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._over = False
        self._lock = threading.Lock()

    def watch(self, used: socket.socket | None) -> None:
        with self._lock:
            if used is not None:
                self._sockets.append(used)
            if self._over:
                self._shut()

    def end(self) -> None:
        with self._lock:
            self._over = True
            self._shut()

    def _shut(self) -> None:
        for used in self._sockets:
            # Not the TLS socket's own method: that is not to be called while another thread reads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(used, socket.SHUT_RDWR)


class _Current(threading.local):
    exchange: _Exchange | None = None


_CURRENT = _Current()


@contextmanager
def cut_after(seconds: float) -> Iterator[Callable[[], None]]:
    """Shut, after so long, every connection that this thread uses within the block.

    What is given to the block does so at once, from any thread.
    """
    exchange = _Exchange()
    timer = threading.Timer(seconds, exchange.end)
    timer.daemon = True
    timer.start()
    _CURRENT.exchange = exchange
    try:
        yield exchange.end
    finally:
        _CURRENT.exchange = None
        timer.cancel()


def _watch(used: socket.socket | None) -> None:
    if _CURRENT.exchange is not None:
        _CURRENT.exchange.watch(used)


class _Plain(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _watch(self.sock)

    def putrequest(
        self,
        method: str,
        url: str,
        skip_host: bool = False,  # noqa: FBT001, FBT002 - http.client's own
        skip_accept_encoding: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        # A pooled connection is not connected anew.
        _watch(self.sock)
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _Secured(_Plain, HTTPSConnection):
    """The same over TLS: the order of the bases lets `_Plain` call the secured methods."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecuredPool(HTTPSConnectionPool):
    ConnectionCls = _Secured


_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _PlainPool, "https": _SecuredPool}


class Adapter(HTTPAdapter):
    """requests' adapter, with connections that `cut_after` can end."""

    poolmanager: PoolManager

    def init_poolmanager(
        self,
        connections: int,
        maxsize: int,
        block: bool = False,  # noqa: FBT001, FBT002 - requests' own
        **pool_kwargs: object,
    ) -> None:
        """Make the pools."""
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: object) -> ProxyManager:
        """Return the pools for a proxy."""
        manager: ProxyManager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


class Session(requests.Session):
    """requests' session, whose connections `cut_after` can end, and which follows no redirect."""

    def __init__(self, pool: int) -> None:
        """Prepare a session that keeps up to ``pool`` connections to one host."""
        super().__init__()
        adapter = Adapter(pool_connections=1, pool_maxsize=pool, max_retries=0)
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: where there is a target, requests reads all of the answer's body first."""
        del resp
        return None
