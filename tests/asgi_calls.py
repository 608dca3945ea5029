"""Calls of an ASGI application in this process: one request, or one websocket's handshake."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message

HOST = "localhost:8501"


@dataclass
class Talk:
    """What an application said on a websocket; ``headers`` came with its acceptance."""

    accepted: bool = False
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)

    def json(self) -> Any:  # noqa: ANN401 - as a response's
        return json.loads(next(one["text"] for one in self.said if one.get("text")))

    def cookies(self) -> list[str]:
        return [text.decode() for name, text in self.headers if name == b"set-cookie"]


@dataclass(frozen=True)
class Client:
    """Calls one application, from an address of this machine unless told another."""

    app: ASGIApp
    address: str = "127.0.0.1"

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: str
    ) -> httpx.Response:
        """Return the answer to one request."""

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(self.address, 50000))
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
                return await client.request(method, path, headers=headers, params=more or None)

        return asyncio.run(call())

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, **more: str
    ) -> httpx.Response:
        """Return the answer to a GET, with these parameters."""
        return self.ask("GET", path, headers, **more)

    def connect(self, path: str, headers: Mapping[str, str] | None = None) -> Talk:
        """Return what is said to a browser that connects, and leaves."""
        talk = Talk()
        arriving: list[Message] = [
            {"type": "websocket.connect"},
            {"type": "websocket.disconnect", "code": 1000},
        ]

        async def receive() -> Message:
            return arriving.pop(0)

        async def send(message: Message) -> None:
            if message["type"] == "websocket.accept":
                talk.accepted, talk.headers = True, list(message.get("headers", ()))
            talk.said.append(message)

        given = {"host": HOST, **(headers or {})}
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), text.encode()) for name, text in given.items()],
            "client": (self.address, 50000),
            "server": ("localhost", 8501),
            "subprotocols": [],
        }
        asyncio.run(self.app(scope, receive, send))  # type: ignore[arg-type]  # a coroutine
        return talk
