"""A websocket of somebody deactivated is ended, wherever that was done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import signing_in
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from plantid_core.web import caller
from plantid_core.web.guards.departed import Departed
from plantid_core.web.guards.visitor import PURPOSE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

    Pairs = Sequence[tuple[bytes, bytes]]

    from plantid_core.access.principal import Principal


async def _page(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept, and stay until the browser leaves, as Streamlit does; and sign out."""
    if scope["type"] == "http":
        ended = (b"set-cookie", b"_streamlit_user=; Max-Age=0")
        await send({"type": "http.response.start", "status": 302, "headers": [ended]})
        return
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def _connected(
    guard: Departed, principal: Principal, within_s: float, headers: Pairs = ()
) -> list[Message]:
    """Return what a browser was sent that connects, and lies idle for so long."""
    said: list[Message] = []
    connecting: list[Message] = [{"type": "websocket.connect"}]

    async def receive() -> Message:
        if connecting:
            return connecting.pop()
        await asyncio.sleep(within_s)
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        said.append(message)

    scope: Scope = {"type": "websocket", "headers": list(headers)}
    caller.note(scope, principal)
    await guard(scope, receive, send)
    return said


def test_only_who_is_deactivated_is_out(tmp_path: Path) -> None:
    """By another process, on an idle page: the browser is led away; nobody else is touched."""
    settings = signing_in.signing_in(tmp_path)
    with signing_in.registered(settings) as here, signing_in.registered(settings) as elsewhere:
        ada, eve = (here.people.register(signing_in.ISSUER, who) for who in ("ada", "eve"))
        guard = Departed(_page, registry=lambda: here)

        async def both() -> tuple[list[Message], list[Message]]:
            elsewhere.people.deactivate(ada.id)
            return await asyncio.gather(
                _connected(guard, ada.principal, within_s=10),
                _connected(guard, eve.principal, within_s=1.5),
            )

        out, still = asyncio.run(both())

    assert [one["type"] for one in out] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert ForwardMsg.FromString(out[1]["bytes"]).auth_redirect.url == "/"
    assert [one["type"] for one in still] == ["websocket.accept"]


def test_whoever_signs_out_in_one_tab_is_out_in_all(tmp_path: Path) -> None:
    """Of that browser alone: their other devices stay, and so does the tab that comes after it."""
    settings = signing_in.signing_in(tmp_path)
    with signing_in.registered(settings) as here:
        ada = here.people.register(signing_in.ISSUER, "ada")
        guard = Departed(_page, registry=lambda: here, left_s=0.5)
        tab, device = (
            [(b"cookie", f"plantid_visitor={here.keys.sign(PURPOSE, [mark, 0])}".encode())]
            for mark in ("this browser", "another")
        )

        async def signs_out() -> None:
            await asyncio.sleep(0.1)  # they are connected by then
            scope: Scope = {"type": "http", "path": "/auth/logout", "headers": tab}
            await guard(scope, _never, _nobody)

        async def comes_after() -> list[Message]:
            await asyncio.sleep(0.3)
            return await _connected(guard, ada.principal, within_s=1.2, headers=tab)

        async def all_of_them() -> list[list[Message]]:
            *said, _ = await asyncio.gather(
                _connected(guard, ada.principal, within_s=10, headers=tab),
                _connected(guard, ada.principal, within_s=1.2, headers=device),
                comes_after(),
                signs_out(),
            )
            return said

        out, elsewhere, after = asyncio.run(all_of_them())

    assert [one["type"] for one in out] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert [one["type"] for one in elsewhere] == ["websocket.accept"]
    assert [one["type"] for one in after] == ["websocket.accept"]


async def _never() -> Message:
    return {"type": "http.request"}


async def _nobody(_: Message) -> None:
    return None
