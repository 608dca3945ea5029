"""The id of every request, its line in the log, its counts and its span: the outermost guard.

An id from outside (``X-Request-ID``) is taken from trusted proxies alone, and where it is plain; the one in
force is in the answer. The line tells the method, the path's template, the status, the time and what kind of
principal asked; never a query, an address, a name or an id of somebody.
"""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from plantid_core.settings import words
from plantid_core.telemetry import metrics, request, spans, tell
from plantid_core.web import seen as notes
from plantid_core.web.guards.asgi import headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plantid_core.settings import Settings
    from plantid_core.web.seen import Seen

_HEADER = b"x-request-id"
_API = "/api/"
_NO_ANSWER = 499  # as nginx logs one who left before the answer
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"})


class RequestId:
    """Gives each request and websocket its id, and tells of it when it ends.

    ``template_of`` tells the template of a path that was refused before anybody looked for its route.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        template_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        self._app, self._template_of = app, template_of
        self._trusted = [ip_network(one, strict=False) for one in words(settings.trusted_proxies)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        known_as = self._told(scope) or request.new()
        note, path = notes.begin(scope, known_as), str(scope["path"])
        method = str(scope.get("method", "WEBSOCKET"))
        method = method if method in _METHODS else "OTHER"
        span = spans.begin(method, None, {"http.request.method": method})
        own = (_HEADER, known_as.encode())
        status, begin = _NO_ANSWER, time.perf_counter()

        async def told(message: Message) -> None:
            nonlocal status
            kind = message["type"]
            if kind in {"http.response.start", "websocket.http.response.start"}:
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), own]
            elif kind == "websocket.accept":
                status = 101
                message["headers"] = [*message.get("headers", ()), own]
            elif kind == "websocket.close" and status == _NO_ANSWER:
                status = 403  # as the server answers one that was never accepted
            await send(message)

        try:
            with request.bound(known_as), spans.within(span):
                await self._app(scope, receive, told)
        finally:
            took_s = time.perf_counter() - begin
            route = note.route or self._template_of(path) or _family(path)
            spans.end(span, {"http.route": route, "http.response.status_code": status})
            _tell(note, method, route, status, took_s)

    def _told(self, scope: Scope) -> str | None:
        """Return the id that a trusted proxy gave, where it may stand in a log."""
        if not self._trusted:
            return None
        given = headers(scope, _HEADER)
        if len(given) != 1 or not self._trusts(scope):
            return None
        text = given[0].decode("latin-1")
        return text if request.is_fit(text) else None

    def _trusts(self, scope: Scope) -> bool:
        client = scope.get("client")
        try:
            peer = ip_address(str(client[0])) if client else None
        except ValueError:
            return False
        return peer is not None and any(peer in network for network in self._trusted)


def _tell(note: Seen, method: str, route: str, status: int, took_s: float) -> None:
    if method != "WEBSOCKET":
        metrics.answered(route, method, status, took_s)
    if route.startswith(_API):
        tell(
            "api.answered",
            method=method,
            route=route,
            status=status,
            ms=round(took_s * 1e3, 1),
            principal=note.principal or "anonymous",
            request_id=note.request_id,
        )


def _family(path: str) -> str:
    """Return one of few words for a path whose template nobody named."""
    if path == "/api" or path.startswith(_API):
        return "/api/{rest:path}"
    return "other"
