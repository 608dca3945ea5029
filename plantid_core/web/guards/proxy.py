"""Where a request really comes from: told by proxies that are trusted, and by nobody else."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, cast

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from plantid_core.settings import words

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn._types import ASGI3Application

    from plantid_core.settings import Settings

# Noted in the scope of a request that came by a proxy, trusted or not.
PROXIED = "plantid.proxied"
_TOLD_BY_PROXIES = frozenset(
    {
        b"forwarded",
        b"via",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-forwarded-ssl",
        b"x-real-ip",
    }
)


class Proxy:
    """Takes address and scheme from ``X-Forwarded-For`` and ``-Proto`` of PLANTID_TRUSTED_PROXIES.

    Of these the scope is made; behind this guard nobody sees such a header, so that nobody can believe
    one that a stranger wrote.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        async def stripped(scope: Scope, receive: Receive, send: Send) -> None:
            # An old one that is told nothing else names nobody, and speaks the version of its youth.
            if scope.get("http_version") == "1.0":
                scope[PROXIED] = True
            if any(name in _TOLD_BY_PROXIES for name, _ in scope["headers"]):
                scope[PROXIED] = True
                scope["headers"] = [
                    pair for pair in scope["headers"] if pair[0] not in _TOLD_BY_PROXIES
                ]
            await app(scope, receive, send)

        # Its reading of networks is strict: 10.0.0.1/8 would be nobody's.
        trusted = [str(ip_network(one, strict=False)) for one in words(settings.trusted_proxies)]
        behind = cast("ASGI3Application", stripped)
        self.app = cast("ASGIApp", ProxyHeadersMiddleware(behind, trusted)) if trusted else stripped

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "lifespan":
            scope = {**scope, "headers": []}
        await self.app(scope, receive, send)
