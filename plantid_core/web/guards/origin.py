"""Whose page sent it: a browser sends our cookies along also for a page of somebody else's.

OWASP, Cross-Site Request Forgery Prevention, "Using Standard Headers to Verify Origin".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plantid_core.web.guards.asgi import READING, header, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from plantid_core.settings import Settings

_SECURE = {"http": b"http", "https": b"https", "ws": b"http", "wss": b"https"}
_PORTS = {b"http": b":80", b"https": b":443"}
_ELSEWHERE = {b"cross-site", b"same-site"}
_DETAIL = "This was sent by a page that is not of this app. Send it from the app, or with a token."


class Origin:
    """Refuses what another site's page sends (403): writes, websockets, and signing somebody out.

    With a cookie and without a token, a write must show that it is ours, by Origin, Sec-Fetch-Site or
    Referer; without a cookie it must not show the contrary, since where nobody signs in a request that
    shows nothing is the local person's. With a Bearer token it needs neither: no browser adds one by
    itself, as it does a password.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        address = urlsplit(settings.address)
        self._own = f"{address.scheme}://{address.netloc}".lower().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if _signs_out(scope) and header(scope, b"sec-fetch-site") in _ELSEWHERE:
            await refuse(scope, receive, send, 403, _DETAIL, code="foreign_origin")
        elif _changes_nothing(scope) or _with_token(scope) or self._ours(scope):
            await self.app(scope, receive, send)
        else:
            await refuse(scope, receive, send, 403, _DETAIL, code="foreign_origin")

    def _ours(self, scope: Scope) -> bool:
        origin = header(scope, b"origin")
        if origin is not None:
            return self._same(scope, origin)
        if scope["type"] == "websocket":
            return True  # browsers always send it there
        site = header(scope, b"sec-fetch-site")
        if site is not None:
            return site == b"same-origin"
        referer = header(scope, b"referer")
        if referer is not None:
            return self._same(scope, b"/".join(referer.split(b"/", 3)[:3]))
        return header(scope, b"cookie") is None

    def _same(self, scope: Scope, origin: bytes) -> bool:
        origin = origin.lower()
        scheme = _SECURE.get(scope.get("scheme", "http"), b"http")
        host = (header(scope, b"host") or b"").lower().removesuffix(_PORTS[scheme])
        return origin in {scheme + b"://" + host, self._own}


def _signs_out(scope: Scope) -> bool:
    """Tell whether it is the one request that changes something though it only reads."""
    return scope["type"] == "http" and bool(scope["path"] == "/auth/logout")


def _changes_nothing(scope: Scope) -> bool:
    kind = scope["type"]
    return kind == "lifespan" or (kind == "http" and scope["method"] in READING)


def _with_token(scope: Scope) -> bool:
    return (header(scope, b"authorization") or b"")[:7].lower() == b"bearer "
