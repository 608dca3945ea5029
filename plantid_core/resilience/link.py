"""Connections to one Redis: a thin one of our own where the address allows, else redis-py's.

More than half of a redis-py ``GET`` of 4 KB is spent in redis-py. A socket and hiredis' parser are
enough for what the cache sends; TLS and Sentinel are left to redis-py, on connections of its own.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

if TYPE_CHECKING:
    from typing import TypeAlias

    Reply: TypeAlias = bytes | int | list["Reply"] | hiredis.ReplyError | None

_CHUNK = 65536
_OWN_OPTIONS = ("host", "port", "path", "db", "username", "password")


class LinkError(Exception):
    """The connection was refused, hung or was lost; ``timed_out`` tells which."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        self.timed_out = timed_out
        super().__init__(reason)


class Link(Protocol):
    """One connection, used by one thread at a time."""

    def ask(self, packed: bytes, timeout_s: float) -> Reply:
        """Send a packed command and return its reply; raises `LinkError`."""

    def send(self, packed: bytes) -> None:
        """Send a packed command; raises `LinkError`."""

    def receive(self, timeout_s: float | None) -> Reply:
        """Return the next reply; raises `LinkError`."""

    def close(self) -> None:
        """End the connection; whoever waits on it is woken."""


def command(*words: bytes | str | int) -> bytes:
    """Return the bytes of a command."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]  # typed as of one word
    return packed


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds allowed to connect, and to answer one command."""

    connect_s: float = 0.1
    answer_s: float = 0.2


@dataclass(frozen=True)
class Address:
    """Where a Redis is, and who we are there."""

    connection_class: type[redis.Connection]
    options: dict[str, object] = field(repr=False)
    pool: redis.ConnectionPool | None = field(default=None, repr=False)

    @classmethod
    def of(cls, client: redis.Redis) -> Address:
        """Return the address a client uses; its pool and timeouts are not taken over."""
        pool = client.connection_pool
        return cls(pool.connection_class, dict(pool.connection_kwargs), pool)

    @property
    def thin(self) -> bool:
        """Tell whether our own connection can go there: TCP or a unix socket, plain."""
        plain = self.connection_class in {redis.Connection, redis.UnixDomainSocketConnection}
        return plain and self.options.get("credential_provider") is None

    @property
    def database(self) -> int:
        """Return the number of the database."""
        return int(cast("int", self.options.get("db") or 0))

    def connect(self, timeouts: Timeouts, *, thin: bool = True) -> Link:
        """Return an open link; raises `LinkError`."""
        if thin and self.thin:
            return ThinLink(self.options, timeouts)
        return RedisLink(self, timeouts)

    def client(self, *, answer_s: float | None, max_connections: int = 50) -> redis.Redis:
        """Return a redis-py client of its own pool; ``answer_s`` None waits for as long as it takes."""
        options = dict(self.options)
        # A pool of Sentinel's hands itself to its connections, which ask it for the master.
        if self.pool is not None and "connection_pool" in options:
            return redis.Redis(connection_pool=self.pool)
        options |= {
            "socket_timeout": answer_s,
            "socket_connect_timeout": 0.1,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
            "decode_responses": False,
        }
        pool = redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]  # no types here
            max_connections=max_connections,
            timeout=5,
            connection_class=self.connection_class,
            **options,
        )
        return redis.Redis(connection_pool=pool)


class ThinLink:
    """A socket and hiredis' parser. RESP2, whose pub/sub mode has a plain message shape."""

    def __init__(self, options: dict[str, object], timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._reader = hiredis.Reader()
        self._timeout: float | None = timeouts.connect_s
        try:
            self._socket = _dial(options, timeouts.connect_s)
            self._sendall, self._recv = self._socket.sendall, self._socket.recv
            self._feed, self._gets = self._reader.feed, self._reader.gets
            self._introduce(options)
        except OSError as error:
            raise LinkError(str(error), timed_out=isinstance(error, TimeoutError)) from error

    def _introduce(self, options: dict[str, object]) -> None:
        if password := options.get("password"):
            name = options.get("username")
            self._expect_ok(command("AUTH", *([str(name)] if name else []), str(password)))
        if database := options.get("db"):
            self._expect_ok(command("SELECT", str(database)))

    def _expect_ok(self, packed: bytes) -> None:
        self.send(packed)
        reply = self.receive(self._timeouts.answer_s)
        if isinstance(reply, hiredis.ReplyError):
            self.close()
            raise LinkError(str(reply))

    def ask(self, packed: bytes, timeout_s: float) -> Reply:
        """Send a packed command and return its reply; raises `LinkError`."""
        if timeout_s != self._timeout:
            self._socket.settimeout(timeout_s)
            self._timeout = timeout_s
        # Every hit comes this way, so it is written out: send, receive and parse in one function.
        try:
            self._sendall(packed)
            chunk = self._recv(_CHUNK)
            if chunk:
                self._feed(chunk)
                reply: Reply = self._gets()
                if reply is not False:
                    return reply
        except (OSError, hiredis.ProtocolError) as error:
            raise LinkError(str(error), timed_out=isinstance(error, TimeoutError)) from error
        if not chunk:
            raise LinkError("the server closed the connection")
        return self.receive(timeout_s)

    def send(self, packed: bytes) -> None:
        """Send a packed command; raises `LinkError`."""
        try:
            self._socket.sendall(packed)
        except OSError as error:
            raise LinkError(str(error), timed_out=isinstance(error, TimeoutError)) from error

    def receive(self, timeout_s: float | None) -> Reply:
        """Return the next reply; raises `LinkError`."""
        reader, link = self._reader, self._socket
        if timeout_s != self._timeout:
            link.settimeout(timeout_s)
            self._timeout = timeout_s
        try:
            reply = reader.gets()
            while reply is False:
                chunk = link.recv(_CHUNK)
                if not chunk:
                    raise LinkError("the server closed the connection")
                reader.feed(chunk)
                reply = reader.gets()
        except (OSError, hiredis.ProtocolError) as error:
            raise LinkError(str(error), timed_out=isinstance(error, TimeoutError)) from error
        return cast("Reply", reply)

    def close(self) -> None:
        """End the connection; whoever waits on it is woken."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _dial(options: dict[str, object], timeout_s: float) -> socket.socket:
    if path := options.get("path"):
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(timeout_s)
            link.connect(str(path))
        except OSError:
            link.close()
            raise
        return link
    where = str(options.get("host") or "localhost"), int(cast("int", options.get("port") or 6379))
    link = socket.create_connection(where, timeout_s)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


class RedisLink:
    """A redis-py connection, for TLS, Sentinel and credentials that a provider renews."""

    def __init__(self, address: Address, timeouts: Timeouts) -> None:
        options = dict(address.options) | {
            "socket_connect_timeout": timeouts.connect_s,
            "socket_timeout": timeouts.answer_s,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
            "health_check_interval": 0,
            "decode_responses": False,
            "protocol": 2,
        }
        self._timeouts = timeouts
        self._connection = address.connection_class(**options)
        try:
            self._connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as error:
            raise _link_error(error) from error

    def ask(self, packed: bytes, timeout_s: float) -> Reply:
        """Send a packed command and return its reply; raises `LinkError`."""
        self.send(packed)
        return self.receive(timeout_s)

    def send(self, packed: bytes) -> None:
        """Send a packed command; raises `LinkError`."""
        # redis-py would connect anew by itself, and nobody would know that a subscription is gone.
        if not self._connection.is_connected:
            raise LinkError("the connection is closed")
        try:
            self._connection.send_packed_command(  # type: ignore[no-untyped-call]
                [packed], check_health=False
            )
        except (RedisError, OSError) as error:
            raise _link_error(error) from error

    def receive(self, timeout_s: float | None) -> Reply:
        """Return the next reply; raises `LinkError`."""
        try:
            wait = 3600.0 if timeout_s is None else timeout_s
            # A subscriber that heard nothing for a while goes on listening.
            reply = self._connection.read_response(
                disable_decoding=True, timeout=wait, disconnect_on_error=False
            )
        except redis.ResponseError as error:
            # The code of some errors is taken off their sentence.
            return hiredis.ReplyError(f"{error.status_code or ''} {error}".strip())
        except (RedisError, OSError) as error:
            raise _link_error(error) from error
        return cast("Reply", reply)

    def close(self) -> None:
        """End the connection."""
        self._connection.disconnect()  # type: ignore[no-untyped-call]


def _link_error(error: Exception) -> LinkError:
    timed_out = isinstance(error, redis.TimeoutError | TimeoutError)
    return LinkError(f"{type(error).__name__}: {error}", timed_out=timed_out)
