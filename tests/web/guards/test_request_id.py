"""The outermost guard: an id, a line in the log, a count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from asgi_calls import Client
from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from structlog.testing import capture_logs

from plantid_core.access.principal import LOCAL
from plantid_core.settings import load_settings
from plantid_core.telemetry import request as current_request
from plantid_core.web import caller
from plantid_core.web.guards.request_id import RequestId
from plantid_core.web.seen import request_id_of, seen

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send
    from starlette.websockets import WebSocket

PROXY = "192.0.2.7"


class Copying:
    """A guard that hands on a copy of the scope, as one that rewrites headers does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


async def page(request: Request) -> Response:
    seen(request.scope).route = "/api/v1/things/{id}"
    caller.note(request.scope, LOCAL)
    return PlainTextResponse(f"{current_request.current()} {request_id_of(request.scope)}")


async def failing(_: Request) -> Response:
    raise ZeroDivisionError


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(request_id_of(websocket.scope))
    await websocket.close()


async def refuse(websocket: WebSocket) -> None:
    await websocket.close()


def client(address: str = PROXY, proxies: str = "192.0.2.0/24") -> Client:
    routes = [
        Route("/api/v1/things/{id}", page),
        Route("/broken", failing),
        WebSocketRoute("/talk", talk),
        WebSocketRoute("/refused", refuse),
    ]
    guards = [
        Middleware(RequestId, settings=load_settings(trusted_proxies=proxies)),
        Middleware(Copying),
    ]
    app = Starlette(routes=routes, middleware=guards)
    return Client(app, address)


def test_one_id_is_in_the_answer_the_scope_and_the_log() -> None:
    """Whoever reports a fault names what stands in the log."""
    with capture_logs() as told:
        answer = client().get("/api/v1/things/17", sort="abc")

    known_as = answer.headers["x-request-id"]
    assert answer.text == f"{known_as} {known_as}"
    [line] = told
    assert line["request_id"] == known_as


def test_a_line_tells_the_template_and_the_kind_and_no_more() -> None:
    """No query, no id of a thing, no address, no name."""
    with capture_logs() as told:
        client().get("/api/v1/things/17", name="Ada")

    [line] = told
    assert set(line) == {
        "event", "log_level", "method", "route", "status", "ms", "principal", "request_id",
    }  # fmt: skip
    assert (line["route"], line["principal"], line["status"]) == (
        "/api/v1/things/{id}",
        "person",
        200,
    )


def test_a_trusted_proxys_id_is_taken() -> None:
    """So that one id leads through all that a request passes."""
    answer = client().get("/api/v1/things/1", headers={"X-Request-ID": "proxy-0001"})

    assert answer.headers.get_list("x-request-id") == ["proxy-0001"]


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("198.51.100.1", ["proxy-0001"]),
        (PROXY, ["short"]),
        (PROXY, ["two words here"]),
        (PROXY, ["x" * 65]),
        (PROXY, ['{"a":"forged line"}']),
        (PROXY, ["proxy-0001", "proxy-0002"]),
    ],
)
def test_any_other_id_is_replaced(address: str, given: list[str]) -> None:
    """A stranger's, or one that would make a mess of a log."""
    headers = httpx.Headers([("X-Request-ID", one) for one in given])

    answer = client(address).get("/api/v1/things/1", headers=headers)

    assert answer.headers["x-request-id"] not in given


def test_a_failure_is_told_and_counted_too() -> None:
    """What raised before it began has no answer to count; it is one that broke off."""
    labels = {"route": "other", "method": "GET", "status": "499"}
    before = REGISTRY.get_sample_value("plantid_http_requests_total", labels) or 0.0

    with pytest.raises(ZeroDivisionError):
        client().get("/broken")

    assert REGISTRY.get_sample_value("plantid_http_requests_total", labels) == before + 1


def test_unknown_paths_and_methods_share_one_count() -> None:
    """Whoever guesses addresses fills no memory."""
    before = len(list(REGISTRY.collect()))
    labels = {"route": "other", "method": "OTHER", "status": "404"}

    for number in range(3):
        client().ask("BREW", f"/pot-{number}")

    assert REGISTRY.get_sample_value("plantid_http_requests_total", labels) == 3.0
    assert len(list(REGISTRY.collect())) == before


def test_what_is_refused_early_is_told_by_its_template() -> None:
    """Before anybody looks for the route, as who shows a wrong token is."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(status_code=401)(scope, receive, send)

    templates = {"/api/v1/things/17": "/api/v1/things/{id}"}
    guard = RequestId(
        refusing, settings=load_settings(), template_of=lambda path: templates.get(path, "")
    )
    with capture_logs() as told:
        Client(guard).get("/api/v1/things/17")
        Client(guard).get("/api/v1/guessed/17")

    assert [line["route"] for line in told] == ["/api/v1/things/{id}", "/api/{rest:path}"]


def test_a_websocket_has_an_id() -> None:
    """It is in the answer to the handshake."""
    talk = client().connect("/talk")

    given = [value.decode() for name, value in talk.headers if name == b"x-request-id"]
    assert given == [message["text"] for message in talk.said if "text" in message]


def test_a_refused_websocket_stays_refused() -> None:
    """To be watched changes nothing."""
    assert not client().connect("/refused").accepted
