"""Plain HTTP is sent on to HTTPS, where it can be without having said a secret already."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse

from plantid_core.web.guards.asgi import PROBES, READING, header, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from plantid_core.settings import Settings

_PLAIN = frozenset({"http", "ws"})


class Https:
    """Redirects who reads (308), and refuses who writes, sends a token or opens a websocket (403).

    A program that sends its token in the clear would do so at each call, and never notice, if it were
    sent on (https://jviide.iki.fi/http-redirects). Probes are answered as they come.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self._on = settings.redirects_to_https
        address = urlsplit(settings.address)
        # Only a port that people are told of is known; by the name alone it is 443.
        self._ports = {address.hostname: address.netloc} if address.scheme == "https" else {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, redirect it or refuse it."""
        if not self._on or scope.get("scheme", "") not in _PLAIN or scope.get("path") in PROBES:
            await self.app(scope, receive, send)
            return
        reads = scope["type"] == "http" and scope["method"] in READING
        if not reads or header(scope, b"authorization") is not None:
            detail = "This app is reached by HTTPS alone. Use an address that begins with https://."
            await refuse(scope, receive, send, 403, detail, code="https_required")
            return
        response = RedirectResponse(self._secure(scope), 308)
        await response(scope, receive, send)

    def _secure(self, scope: Scope) -> str:
        given = (header(scope, b"host") or b"").decode("latin-1")
        name = urlsplit(f"//{given}").hostname or ""
        place = self._ports.get(name) or (f"[{name}]" if ":" in name else name)
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        query = scope.get("query_string", b"")
        rest = path.split(b"?")[0] + (b"?" + query if query else b"")
        return f"https://{place}{rest.decode('latin-1')}"
