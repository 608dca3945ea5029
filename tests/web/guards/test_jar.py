"""Cookies of a request, changed on the way in, and added to its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from asgi_calls import Client
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from plantid_core.web.guards import jar

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
VALUES = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=8)


@given(
    st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, st.none() | VALUES), st.integers(0, 5)
)
def test_a_change_touches_only_what_it_names(
    sent: dict[str, str], changes: dict[str, str | None], cut: int
) -> None:
    """After a change the cookies are those sent, with the named ones replaced or taken out."""
    pairs = [f"{name}={value}" for name, value in sent.items()]
    scope: Scope = {
        "headers": [
            (b"host", b"here"),
            *((b"cookie", "; ".join(part).encode()) for part in (pairs[:cut], pairs[cut:]) if part),
        ]
    }

    jar.change(scope, changes)

    wanted = {name: value for name, value in (sent | changes).items() if value is not None}
    assert jar.cookies_of(scope) == wanted
    assert scope["headers"][0] == (b"host", b"here")


class _Adding:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lines = {"mine": jar.line("mine", "1", 60)}
        await self.app(scope, receive, jar.answering(send, lambda _message, _headers: lines))


@pytest.fixture
def client() -> Client:
    async def plain(_: Request) -> PlainTextResponse:
        return PlainTextResponse("")

    async def cached(_: Request) -> PlainTextResponse:
        return PlainTextResponse("", headers={"Cache-Control": "public, immutable, max-age=9"})

    async def ended(_: Request) -> PlainTextResponse:
        response = PlainTextResponse("")
        response.delete_cookie("mine")
        return response

    routes = [Route("/plain", plain), Route("/cached", cached), Route("/ended", ended)]
    return Client(Starlette(routes=routes, middleware=[Middleware(_Adding)]))


def test_an_answer_carries_the_cookie(client: Client) -> None:
    """It is set for the whole app, and hidden from scripts."""
    told = client.get("/plain").headers["set-cookie"]

    assert told == "mine=1; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"


def test_what_a_shared_cache_may_keep_carries_none(client: Client) -> None:
    """Else a cache would hand one person's cookie to the next."""
    assert "set-cookie" not in client.get("/cached").headers


def test_what_the_app_sets_is_left_to_it(client: Client) -> None:
    """A cookie that ends with this answer must not come back with it."""
    told = client.get("/ended").headers.get_list("set-cookie")

    assert len(told) == 1
    assert "Max-Age=0" in told[0]
