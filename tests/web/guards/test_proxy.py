"""Where a request comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from guarded import client, said
from starlette.middleware import Middleware

from plantid_core.settings import load_settings
from plantid_core.web.guards.proxy import PROXIED, Proxy

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

TOLD = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Real-IP": "203.0.113.9"}


def proxy(trusted: str) -> Middleware:
    return Middleware(Proxy, settings=load_settings(trusted_proxies=trusted))


@pytest.mark.parametrize("trusted", ["10.0.0.7", "10.0.0.1/8", "192.0.2.1, 10.0.0.0/24"])
def test_a_trusted_proxy_tells(trusted: str) -> None:
    """Address and scheme are those that the proxy saw, for pages and websockets."""
    told = client(proxy(trusted)).get("/x", headers=TOLD).json()

    assert (told["client"], told["scheme"]) == ("203.0.113.9", "https")
    assert said(client(proxy(trusted)).websocket(headers=TOLD)) == "203.0.113.9"


@pytest.mark.parametrize("trusted", ["", "10.0.0.8", "127.0.0.1"])
def test_a_stranger_tells_nothing(trusted: str) -> None:
    """Nobody chooses their own address, and nobody behind the guard sees what they said."""
    told = client(proxy(trusted)).get("/x", headers=TOLD).json()

    assert (told["client"], told["scheme"]) == ("10.0.0.7", "http")
    assert not {name.lower() for name in TOLD} & set(told["headers"])


def test_what_a_client_wrote_before_the_proxy_does_not_count() -> None:
    """A proxy adds its client's address at the end; what is before it anybody may have written."""
    forged = {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"}
    assert client(proxy("10.0.0.7")).get("/x", headers=forged).json()["client"] == "203.0.113.9"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_old_proxy_that_names_nobody_is_seen_by_its_version(version: str) -> None:
    """What asks the app itself has spoken a newer one for long."""
    found: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        found.append(scope.get(PROXIED, False))

    async def nothing(*_: object) -> Message:
        return {}

    scope = {"type": "http", "http_version": version, "headers": [], "client": ("127.0.0.1", 1)}
    anyio.run(Proxy(app, settings=load_settings()), scope, nothing, nothing)

    assert found == [version == "1.0"]
