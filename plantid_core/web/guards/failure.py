"""What nobody foresaw: a problem for whoever asked, and a line in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from plantid_core.web.guards.asgi import refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAID = "Something went wrong here, and it has been logged. Try again in a moment."
_LEFT = (ClientDisconnect, WebSocketDisconnect, WebSocketDisconnected)
_BEGINNINGS = frozenset(
    {"http.response.start", "websocket.accept", "websocket.close", "websocket.http.response.start"}
)


class Failure:
    """Answers a failed request that has no answer yet; one whose answer has begun is broken off."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] in _BEGINNINGS
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except _LEFT:
            return  # whoever asked has left: nobody is there to be answered, and nothing has failed
        except Exception as error:
            if begun:
                raise  # the server closes the connection, so that nobody takes half for the whole
            structlog.get_logger().error(
                "request failed", error=type(error).__name__, exc_info=error
            )
            await refuse(scope, receive, send, 500, _SAID, code="internal")
