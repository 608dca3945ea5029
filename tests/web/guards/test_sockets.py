"""How many websockets one address may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from plantid_core.settings import load_settings
from plantid_core.web.guards.sockets import MOST_OF_ONE, Sockets

if TYPE_CHECKING:
    from starlette.types import Message, Scope


class Page:
    """An app whose websockets stay open until each is let go."""

    def __init__(self, exempt: str = "") -> None:
        guard = Middleware(Sockets, settings=load_settings(throttle_exempt=exempt))
        self.app = Starlette(routes=[WebSocketRoute("/", self._stay)], middleware=[guard])
        self.heard: list[bytes | int] = []

    async def _stay(self, websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                self.heard.append(await websocket.receive_bytes())
        except WebSocketDisconnect as left:
            self.heard.append(left.code)

    async def open(self, address: str, let_go: anyio.Event, said: list[Message]) -> Message:
        """Open one, say something, and stay; return how the opening was answered."""
        scope: Scope = {
            "type": "websocket",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "client": (address, 1),
            "extensions": {"websocket.http.response": {}},
        }
        coming: list[Message] = [{"type": "websocket.connect"}, *said]
        sent: list[Message] = []

        async def receive() -> Message:
            if coming:
                return coming.pop(0)
            await let_go.wait()
            return {"type": "websocket.disconnect", "code": 1001}

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]


def opened(page: Page, addresses: list[str]) -> list[int]:
    """Return the statuses of websockets that are open at the same time; 101 for an accepted one."""

    async def all_at_once() -> list[int]:
        let_go, found = anyio.Event(), [0] * len(addresses)

        async def one(place: int) -> None:
            first = await page.open(addresses[place], let_go, [])
            found[place] = int(first.get("status", 101))

        async with anyio.create_task_group() as group:
            for place in range(len(addresses)):
                group.start_soon(one, place)
            await anyio.wait_all_tasks_blocked()
            let_go.set()
        return found

    return anyio.run(all_at_once)


def test_one_address_holds_so_many_and_no_more() -> None:
    """Others still get theirs, and one that was closed makes room."""
    page = Page()
    crowd = ["192.0.2.1"] * (MOST_OF_ONE + 2)

    first = opened(page, [*crowd, "192.0.2.2"])
    assert (first.count(101), first.count(429)) == (MOST_OF_ONE + 1, 2)
    assert first[-1] == 101
    assert opened(page, crowd).count(101) == MOST_OF_ONE


@pytest.mark.parametrize(
    ("address", "status"), [("2001:db8::{}", 429), ("2001:db8:0:{}::1", 101), ("::ffff:192.0.2.{}", 101)]
)  # fmt: skip
def test_a_network_of_ipv6_is_one_address(address: str, status: int) -> None:
    """Not so IPv4 in the clothes of IPv6."""
    crowd = [address.format(number + 1) for number in range(MOST_OF_ONE + 1)]
    assert opened(Page(), crowd)[-1] == status


def test_an_exempt_network_is_not_bounded() -> None:
    """As it has no rate."""
    crowd = ["192.0.2.1"] * (MOST_OF_ONE + 1)
    assert opened(Page("192.0.2.0/24"), crowd).count(429) == 0


def test_text_ends_it() -> None:
    """The pages' server knows bytes alone, and would fail."""
    page = Page()
    said: list[Message] = [
        {"type": "websocket.receive", "bytes": b"fine"},
        {"type": "websocket.receive", "text": "not fine"},
    ]
    anyio.run(page.open, "192.0.2.1", anyio.Event(), said)
    assert page.heard == [b"fine", 1003]
