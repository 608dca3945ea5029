"""One connection to the server: how long it waits for whom, and how many one address may hold.

A client that sends a request a byte a minute, or nothing at all, holds a connection as one that works does.
With some hundreds it would hold the whole app ("slowloris"). The limits are those of Apache's
mod_reqtimeout (https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html), a body's rate in place of 500 B/s.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_network
from typing import TYPE_CHECKING, Literal, Protocol, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from plantid_core.settings import words
from plantid_core.telemetry import metrics, request
from plantid_core.web.guards.asgi import is_in, network_of
from plantid_core.web.guards.headers import everywhere
from plantid_core.web.problems import problem

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Set as AbstractSet
    from ipaddress import IPv4Network, IPv6Network

    from uvicorn.config import Config
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from plantid_core.settings import Settings

    State = Literal["head", "body", "answer"]

MOST_CONNECTIONS = 1000
MOST_OF_ONE = 200

_LINGER_S = 5.0
# What a websocket's handshake is read again with takes no more than these.
_MOST_HEADERS, _MOST_LINE = 100, 60_000
_KEY_LENGTH = 24


class _Connected(Protocol):
    """What the server knows of each of its connections, websockets too."""

    @property
    def client(self) -> tuple[str, int] | None: ...


@dataclass(slots=True)
class Doors:
    """Who may come in, and how long they may take; one for all connections of a server.

    ``head_s``: seconds until a request's head is whole. ``body_s``: seconds for its body, one more for
    each ``body_rate`` bytes of it that have come, at most ``body_most_s``. ``read_s``: seconds in which
    an answer that waits to be sent must move. Connections are looked at each ``sweep_s`` seconds. Those of
    ``proxies``, which stand for many, are bounded together alone.
    """

    most: int = MOST_CONNECTIONS
    most_of_one: int = MOST_OF_ONE
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    head_s: float = 10.0
    body_s: float = 20.0
    body_rate: int = 2000
    body_most_s: float = 600.0
    read_s: float = 60.0
    sweep_s: float = 1.0
    _open: set[Connection] = field(default_factory=set)
    _sweeping: bool = False

    def full(self, address: str, connected: AbstractSet[_Connected]) -> bool:
        """Tell whether one more of this address is one too many."""
        if len(connected) >= self.most:
            return True
        if len(connected) < self.most_of_one:
            return False
        key = network_of(address)
        # A unix socket has no addresses, and a proxy at its other end.
        if not address or is_in(address, self.proxies):
            return False
        same = sum(1 for one in connected if one.client and network_of(one.client[0]) == key)
        return same >= self.most_of_one

    def enter(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Look after a connection from now on."""
        self._open.add(connection)
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(self.sweep_s, self._sweep, loop)

    def leave(self, connection: Connection) -> None:
        """Look after it no longer: it has ended, or become a websocket."""
        self._open.discard(connection)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        # Now and then for all, so that no request has a timer of its own to be set and taken away.
        for connection in tuple(self._open):
            connection.look(loop.time())
        self._sweeping = bool(self._open)
        if self._sweeping:
            loop.call_later(self.sweep_s, self._sweep, loop)


def doors(settings: Settings) -> Doors:
    """Return the doors of a server with these settings.

    Half of the process's file descriptors are left for what it works with.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Doors(
        most=min(MOST_CONNECTIONS, max(1, soft // 2)),
        proxies=tuple(ip_network(one, strict=False) for one in words(settings.trusted_proxies)),
        headers=everywhere(),
    )


class Connection(H11Protocol):
    """A connection that ends when its client takes too long, and what it sends amiss is refused.

    What the server answers by itself, before there is a request to pass on, is a problem (RFC 9457) with
    the headers that all answers have.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        doors: Doors,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._doors = doors
        self._came = 0
        self._state: State | None = None
        self._of: RequestResponseCycle | None = None
        self._since = 0.0
        self._stalled_since: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or turn away who holds too many."""
        address = str((transport.get_extra_info("peername") or ("",))[0])
        if self._doors.full(address, cast("AbstractSet[_Connected]", self.connections)):
            self.transport = transport
            self._refuse(503, "Too many connections are open. Try again in a moment.", "busy")
            return
        super().connection_made(transport)
        self._doors.enter(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._doors.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._came += len(data)
        super().data_received(data)

    def handle_websocket_upgrade(self, event: object) -> None:
        """Hand the connection over: a websocket is looked after by its pings."""
        self._doors.leave(self)
        super().handle_websocket_upgrade(event)  # type: ignore[arg-type]

    def pause_writing(self) -> None:
        """Note that the client reads no further."""
        self._stalled_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it does."""
        self._stalled_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        del msg
        self._refuse(400, "This is no request that can be read as HTTP/1.1.", "malformed")

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that is not used any more, also one that does not take the rest."""
        super().timeout_keep_alive_handler()
        self._see_out()

    def look(self, now_s: float) -> None:
        """End the connection if its client has taken too long."""
        stalled = self._stalled_since
        if stalled is not None and now_s - stalled > self._doors.read_s:
            self.transport.abort()
            return
        state = self._waits_for()
        if state != self._state or self.cycle is not self._of:
            self._state, self._of, self._since, self._came = state, self.cycle, now_s, 0
            return
        waited_s, patience = now_s - self._since, self._doors
        if state == "head" and waited_s > patience.head_s:
            self._too_slow()
        elif state == "body":
            if self.flow.read_paused:  # it is the app that takes its time
                self._since = now_s
                return
            allowed_s = patience.body_s + self._came / patience.body_rate
            if waited_s > min(allowed_s, patience.body_most_s):
                self._too_slow()

    def _waits_for(self) -> State:
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return "head"
        return "body" if cycle.more_body else "answer"

    def _too_slow(self) -> None:
        # Of what is left of an answered request, the client knows the answer.
        begun = (self.cycle is None or not self.cycle.more_body) and self.conn.trailing_data[0]
        if begun or self._state == "body":
            self._refuse(408, "The request took too long to arrive. Send it again.", "too_slow")
        else:
            self._see_out(at_once=True)

    def _refuse(self, status: int, detail: str, code: str) -> None:
        """Answer by ourselves, unless an answer has begun, and end the connection."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_written(status, detail, code, self._doors.headers))
            metrics.answered("other", "OTHER", status, 0.0)
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self._see_out(at_once=True)

    def _see_out(self, *, at_once: bool = False) -> None:
        if at_once:
            self.transport.close()
        self.loop.call_later(_LINGER_S, self.transport.abort)

    def _should_upgrade(self) -> bool:
        """Tell whether this begins a websocket; what nearly does is answered as any request is."""
        if self._get_upgrade() != b"websocket" or self.scope["method"] != "GET":
            return False
        given = dict(self.headers)
        return (
            len(self.headers) <= _MOST_HEADERS
            and all(len(name) + len(value) < _MOST_LINE for name, value in self.headers)
            and len(given.get(b"sec-websocket-key", b"")) == _KEY_LENGTH
            and given.get(b"sec-websocket-version") == b"13"
            and not given.keys() & {b"content-length", b"transfer-encoding"}
        )


def _written(status: int, detail: str, code: str, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return an answer as it goes over the wire, the last of its connection."""
    with request.bound() as known_as:
        body = problem(status, detail, code=code)
    pairs = [
        *body.raw_headers,
        *headers,
        (b"x-request-id", known_as.encode()),
        (b"connection", b"close"),
        *([(b"retry-after", b"1")] if status == HTTPStatus.SERVICE_UNAVAILABLE else []),
    ]
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in pairs)
    return head + lines + b"\r\n" + bytes(body.body)
