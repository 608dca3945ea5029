"""Whoever is deactivated or signs out is out, also on a page that lies idle: its connection is ended.

The browser is sent to the first page, and is nobody there (`guards.identity`). Without that it would connect
anew and go on showing what it shows, until somebody presses something.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
from starlette.concurrency import run_in_threadpool
from streamlit.proto.AuthRedirect_pb2 import AuthRedirect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from plantid_core.errors import HistoryUnavailable
from plantid_core.web.caller import principal_of
from plantid_core.web.guards import jar
from plantid_core.web.guards.visitor import changes_sign_in, visitor_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plantid_core.access.registry import Registry

_EVERY_S = 1.0
# By then a tab that signs out itself has left, which is not to be called back on its way.
_LEFT_S = 3.0
_SIGNING = frozenset({"/auth/logout", "/oauth2callback"})
# RFC 6455, section 7.4.1: a policy is violated.
_POLICY = 1008
# As Streamlit's own sign-out leads a browser away from its page.
_TO_FIRST_PAGE = ForwardMsg(auth_redirect=AuthRedirect(url="/")).SerializeToString()


class Departed:
    """Looks once a second, while people are connected, for those who were deactivated anywhere.

    One small query a process, however many are connected; none where nobody is. Whoever signs out in one
    tab, or in as somebody else, is out in the other tabs of that browser in a moment.
    """

    def __init__(
        self, app: ASGIApp, *, registry: Callable[[], Registry], left_s: float = _LEFT_S
    ) -> None:
        self._app, self._registry, self._left_s = app, registry, left_s
        self._connected: dict[_Connection, tuple[str, str | None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; a person's websocket so that it can be ended from here."""
        if scope["type"] == "http" and scope["path"] in _SIGNING and self._connected:
            send = self._watching(scope, send)
        principal = principal_of(scope)
        if scope["type"] != "websocket" or principal.kind != "person" or principal.owner is None:
            await self._app(scope, receive, send)
            return
        connection = _Connection(receive, send)
        self._connected[connection] = principal.owner, self._browser(scope)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="departed")
        try:
            await self._app(scope, connection.receive, connection.send)
        finally:
            del self._connected[connection]

    def _browser(self, scope: Scope) -> str | None:
        return visitor_in(self._registry().keys, jar.cookies_of(scope))

    def _watching(self, scope: Scope, send: Send) -> Send:
        """Return a ``send`` that has the browser's other tabs end, where the answer changes its sign-in."""
        browser = self._browser(scope)
        marks = self._connected.items()
        theirs = [one for one, (_, its) in marks if its is not None and its == browser]

        async def watched(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start" and theirs and changes_sign_in(message):
                leaving = asyncio.create_task(self._leave(theirs), name="signed-out")
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

        return watched

    async def _leave(self, connections: list[_Connection]) -> None:
        await asyncio.sleep(self._left_s)
        for connection in connections:
            if connection in self._connected:
                await connection.end()

    async def _look(self) -> None:
        while self._connected:
            await asyncio.sleep(_EVERY_S)
            try:
                gone = await run_in_threadpool(self._registry().people.inactive)
            except HistoryUnavailable:
                continue  # those who are in stay in, as `Known` has it
            leaving = [one for one, (owner, _) in self._connected.items() if owner in gone]
            if leaving:
                # What this process decided on them a moment ago would let them in again.
                self._registry().known.forget()
                structlog.get_logger().info("people signed out", connections=len(leaving))
            for connection in leaving:
                await connection.end()


class _Connection:
    """A websocket between the server and the app, which can be ended from outside both."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._ended = asyncio.Event()

    async def receive(self) -> Message:
        """Return the next message for the app; the disconnection, once it is ended."""
        arriving = asyncio.ensure_future(self._receive())
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait({arriving, ending}, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.is_set():
                return {"type": "websocket.disconnect", "code": _POLICY, "reason": ""}
            return arriving.result()
        finally:
            arriving.cancel()
            ending.cancel()

    async def send(self, message: Message) -> None:
        """Pass on what the app sends; nothing more, once it is ended."""
        if not self._ended.is_set():
            await self._send(message)

    async def end(self) -> None:
        """End it for both sides; a browser that is gone already is no fault."""
        if not self._ended.is_set():
            self._ended.set()
            with suppress(Exception):
                await self._send({"type": "websocket.send", "bytes": _TO_FIRST_PAGE})
                await self._send({"type": "websocket.close", "code": _POLICY})
