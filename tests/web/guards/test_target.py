"""What a request may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from guarded import behind
from starlette.middleware import Middleware

from plantid_core.web.guards.target import Target

if TYPE_CHECKING:
    from starlette.types import Message, Scope


def status(path: str, query: bytes = b"") -> int:
    """Return how a request for a path, as the server hands it on, is answered."""
    scope: Scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"localhost")],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        sent.append(message)

    anyio.run(behind(Middleware(Target)), scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    "path",
    [
        "http://evil.example/",
        "@evil.example/",
        ".evil.example/",
        "evil.example:443",
        "*",
        "",
        "/a\x00b",
        "/a\r\nb",
        "/a\x7fb",
        "/\\evil.example/",
    ],
)
def test_what_is_no_path_is_refused(path: str) -> None:
    """Behind a host's name it would be another address: https://plants.example@evil.example/."""
    assert status(path) == 400


@pytest.mark.parametrize("path", ["/", "/history", "/a b", "/ä/ü", "/api/v1/photos/%", "//x"])
def test_a_path_is_a_path(path: str) -> None:
    """Odd ones too: the routes know what is there."""
    assert status(path) == 200


def test_a_long_address_is_refused() -> None:
    """Path and query together; the last allowed byte is allowed."""
    assert status("/" + "a" * 4095, b"q" * 4096) == 200
    assert status("/" + "a" * 4095, b"q" * 4097) == 414
