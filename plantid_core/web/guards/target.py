"""What a request may ask for: a path of this server, of a length somebody would write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from plantid_core.web.guards.asgi import refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# As much as nginx takes (large_client_header_buffers), in bytes of path and query together.
_MOST_BYTES = 8192
# No file and no route has such a name, and each is read differently by somebody (a header's end, a C
# string's end, a folder of another system).
_NEVER = re.compile(r"[\x00-\x1f\x7f\\]")


class Target:
    """Refuses a target that is no path (400), or a longer one (414).

    ``GET http://elsewhere/`` and ``GET @elsewhere`` are for proxies, which this is none: an address that is
    put together of a host and such a path is somebody else's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        size = len(scope.get("raw_path") or path) + len(scope.get("query_string") or b"")
        if size > _MOST_BYTES:
            detail = f"The address is {size:,} bytes long; {_MOST_BYTES:,} are allowed."
            await refuse(
                scope,
                receive,
                send,
                414,
                detail,
                code="target_length",
                limit=_MOST_BYTES,
                value=size,
            )
        elif not path.startswith("/") or _NEVER.search(path):
            detail = "The address must be a path that begins with / and has no control characters."
            await refuse(scope, receive, send, 400, detail, code="target")
        else:
            await self.app(scope, receive, send)
