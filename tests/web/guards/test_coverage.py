"""Default deny: a path that nobody named is not there, and a route that names nothing is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from guarded import Client, client, refused
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from streamlit.runtime import Runtime
from streamlit.starlette import App

from plantid_core.access.permissions import AllowAny
from plantid_core.settings import load_settings
from plantid_core.web import application
from plantid_core.web.guards.coverage import Coverage, findings, templates
from plantid_core.web.route import Guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket

    from plantid_core.access.permissions import Permission
    from plantid_core.access.rules import Action


async def told(request: Request) -> Response:
    return JSONResponse({"method": request.method})


async def chat(socket: WebSocket) -> None:
    await socket.close()


def route(path: str, needs: Action | Permission, method: str = "GET") -> Guarded:
    return Guarded(path, told, needs, environment=lambda: "production", methods=[method])


@pytest.fixture
def app() -> Client:
    """Return an app that would answer everything, behind the guard, where nobody has signed in."""
    settings = load_settings(
        environment="production", secret_key="k" * 64, allowed_hosts="localhost", allow_sandbox=True
    )
    return client(Middleware(Coverage, settings=settings, routes=[route("/own", AllowAny)]))


@pytest.fixture(scope="module")
def served() -> Iterator[list[BaseRoute]]:
    """Return every route of the real app, Streamlit's among them."""
    app = App(str(application.app_script()), routes=application.routes())
    app._runtime = app._create_runtime()  # noqa: SLF001 - else it is made with the first request
    yield list(app._build_starlette_app().routes)  # noqa: SLF001
    # There is one a process, and it was never started.
    Runtime._instance = None  # noqa: SLF001


def test_every_route_of_the_app_names_what_it_needs(served: list[BaseRoute]) -> None:
    """What Streamlit adds in a later version, and what we add without a thought, is found here."""
    assert len(served) > len(application.routes()) > 10
    assert findings(served) == []


@pytest.mark.parametrize(
    ("added", "named"),
    [
        (Route("/api/v1/people", told), "GET /api/v1/people"),
        (Route("/_stcore/health", told, methods=["POST"]), "POST /_stcore/health"),
        (WebSocketRoute("/api/v1/events", chat), "WEBSOCKET /api/v1/events"),
        (Mount("/admin", Starlette()), "ANY /admin"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_route_without_a_permission_is_found(
    served: list[BaseRoute], added: BaseRoute, named: str
) -> None:
    """Each kind of route, and a new method at a known path."""
    found = findings([*served, added])

    assert len(found) == 1
    assert found[0].startswith(f"{named} names no permission")


def test_what_is_named_is_let_through(app: Client) -> None:
    """Our own routes, pages and Streamlit's parts; what a parameter stands for may be anything."""
    for path in ("/own", "/", "/history", "/static/js/a.js", "/_stcore/health", "/media/a/b.png"):
        assert app.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    ["/admin/users", "/api/v1/people", "/_stcore/agent/mcp", "/_stcore/agent/x", "/a/b", "/own/x"],
)
def test_what_nobody_named_is_not_there(app: Client, path: str) -> None:
    """Also where something behind the guard would answer."""
    answer = app.get(path)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_method_that_nobody_named_is_refused(app: Client) -> None:
    """A page's address takes no form, and Streamlit's parts answer no preflight."""
    answer = app.post("/history")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert app.ask("OPTIONS", "/_stcore/health").status_code == 405


def test_no_websocket_opens_where_a_route_answers_requests(app: Client) -> None:
    """It is answered as another method is, and not past the guards by the server itself."""
    assert [refused(app.websocket(path)) for path in ("/own", "/metrics")] == [405, 405]


def test_a_path_has_one_template_whatever_is_done_there() -> None:
    """For the log: also where a request was refused before its route was looked for."""
    template_of = templates([route("/api/v1/things/{id}", AllowAny)])

    assert template_of("/api/v1/things/17") == "/api/v1/things/{id}"
    assert template_of("/media/a/b.jpg") == "/media/{file_id:path}"
    assert template_of("/api/v1/nothing") == ""


def test_what_is_needed_is_asked_for(app: Client) -> None:
    """Files come from people who may identify; a page's connection is for everybody, no other is."""
    assert app.ask("PUT", "/_stcore/upload_file/a/b").status_code == 401
    assert app.websocket()[0]["type"] == "websocket.accept"
    refused = app.websocket("/api/v1/events")
    assert refused[0]["type"] == "websocket.http.response.start"
    assert refused[0]["status"] == 404


def test_a_route_asks_before_its_endpoint_runs() -> None:
    """A route is safe by itself, whatever stands around it."""
    alone = Client(Starlette(routes=[route("/mine", "history.list"), route("/all", AllowAny)]))

    refused = alone.get("/mine")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert alone.get("/all").json() == {"method": "GET"}
