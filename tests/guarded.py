"""A small app that tells what reached it, for the guards to stand around, and a client of it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Scope
    from starlette.websockets import WebSocket

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ADDRESS = "10.0.0.7"


async def told(request: Request) -> Response:
    return JSONResponse(
        {
            "bytes": len(await request.body()),
            "client": request.client.host if request.client else None,
            "scheme": request.url.scheme,
            "headers": dict(request.headers),
        }
    )


async def page(_: Request) -> Response:
    response = Response("<html></html>", media_type="text/html")
    response.set_cookie("kept", "1")
    response.set_cookie("_streamlit_xsrf", "2")
    return response


async def broken(_: Request) -> Response:
    raise RuntimeError("a secret of the inside")


async def chat(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(socket.client.host if socket.client else "")
    await socket.close()


def behind(*guards: Middleware) -> Starlette:
    """Return the app behind these guards, the outermost first."""
    return Starlette(
        routes=[
            Route("/page", page),
            Route("/broken", broken, methods=METHODS),
            WebSocketRoute("/_stcore/stream", chat),
            Route("/{rest:path}", told, methods=METHODS),
        ],
        middleware=list(guards),
    )


class Client:
    """Asks an ASGI app as a browser or program at an address would; follows no redirect."""

    def __init__(self, app: ASGIApp, url: str = "http://localhost", address: str = ADDRESS) -> None:
        self._app, self._url, self._address = app, url, address

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.ask("GET", path, headers)

    def post(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] = b"",
    ) -> httpx.Response:
        return self.ask("POST", path, headers, content)

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        content: bytes | Iterable[bytes] = b"",
    ) -> httpx.Response:
        """Return the answer; what is no bytes is sent in chunks, its length not announced."""

        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=(self._address, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url=self._url) as client:
                body = content if isinstance(content, bytes) else _chunks(content)
                sent = {name: value.encode() for name, value in (headers or {}).items()}
                return await client.request(method, path, headers=sent, content=body)

        return anyio.run(asked)

    def websocket(
        self, path: str = "/_stcore/stream", headers: Mapping[str, str] | None = None
    ) -> list[Message]:
        """Open a websocket; return all that the app sends."""
        parts = urlsplit(self._url)
        sent = {"host": parts.netloc, **{k.lower(): v for k, v in (headers or {}).items()}}
        scope: Scope = {
            "type": "websocket",
            "scheme": parts.scheme.replace("http", "ws"),
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": (self._address, 50_000),
            "server": ("localhost", 80),
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            messages.append(message)

        async def opened() -> None:
            await self._app(scope, receive, send)

        anyio.run(opened)
        return messages


async def _chunks(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def client(*guards: Middleware, url: str = "http://localhost", address: str = ADDRESS) -> Client:
    """Return a client of the app behind these guards."""
    return Client(behind(*guards), url, address)


def said(messages: list[Message]) -> str:
    """Return what an accepted websocket said first."""
    assert messages[0]["type"] == "websocket.accept"
    return str(messages[1]["text"])


def refused(messages: list[Message]) -> int:
    """Return the status that a websocket was turned away with, before it was accepted."""
    assert messages[0]["type"] == "websocket.http.response.start"
    return int(messages[0]["status"])
