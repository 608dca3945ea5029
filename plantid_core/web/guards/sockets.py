"""How many websockets one address may hold open, and what may come by them."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_network
from typing import TYPE_CHECKING

from plantid_core.settings import words
from plantid_core.web.caller import address_of
from plantid_core.web.guards.asgi import is_in, network_of, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plantid_core.settings import Settings

# A school behind one address, each with a page open. A page holds one, and a session's memory with it.
MOST_OF_ONE = 100
_UNSUPPORTED_DATA = 1003


class Sockets:
    """Refuses one websocket too many of an address (429), PLANTID_THROTTLE_EXEMPT aside.

    Opening them has a rate already (`throttle`), but nobody closes them. And pages speak in bytes: text
    ends the connection.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self._open: Counter[str] = Counter()
        self._exempt = [ip_network(one, strict=False) for one in words(settings.throttle_exempt)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the websocket on, or refuse it."""
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        address = address_of(scope)
        key = network_of(address)
        if self._open[key] >= MOST_OF_ONE and not is_in(address, self._exempt):
            detail = f"{MOST_OF_ONE} pages are open from where you are. Close one of them."
            await refuse(scope, receive, send, 429, detail, code="sockets_open", limit=MOST_OF_ONE)
            return

        async def bytes_alone() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and message.get("bytes") is None:
                return {"type": "websocket.disconnect", "code": _UNSUPPORTED_DATA}
            return message

        self._open[key] += 1
        try:
            await self.app(scope, bytes_alone, send)
        finally:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
