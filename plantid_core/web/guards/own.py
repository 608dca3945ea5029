"""Our own routes, answered before Streamlit's middlewares: they need none of those.

Streamlit reads its session's cookie and considers compression for each request. An answer of ours is some
kilobytes, and a proxy that wants them smaller compresses them itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Router

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

_ALONE = frozenset({"/api", "/healthz", "/readyz", "/metrics"})
_BENEATH = "/api/"


class Own:
    """Sends what our routes answer to them, and the rest on to the pages."""

    def __init__(self, app: ASGIApp, *, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._ours = ExceptionMiddleware(Router(routes, redirect_slashes=False))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it, or let it through."""
        if scope["type"] == "http" and (
            (path := scope["path"]).startswith(_BENEATH) or path in _ALONE
        ):
            await self._ours(scope, receive, send)
        else:
            await self._app(scope, receive, send)
