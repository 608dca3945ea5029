"""The routes beside the pages: each with what it needs, and with an answer to every other method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Match

from plantid_core.access.permissions import AllowAny
from plantid_core.web.api import breakers, document, observations, photos, status
from plantid_core.web.api.answering import JPEG, Service, refusing
from plantid_core.web.api.identify import identifying
from plantid_core.web.problems import problem
from plantid_core.web.route import Guarded
from plantid_core.web.unread import ending

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import Receive, Scope, Send

    from plantid_core.access.permissions import Permission
    from plantid_core.access.rules import Action
    from plantid_core.web.api.answering import Endpoint
    from plantid_core.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Entry:
    """What one path answers to one method, and what it takes to be answered."""

    method: str
    path: str
    needs: Action | Permission
    endpoint: Endpoint
    about: str
    kind: type[Guarded] = Guarded


class Other(Guarded):
    """A route for whatever methods the path's own routes left; ``methods`` are those it names."""

    def __init__(
        self, path: str, endpoint: Endpoint, service: Service, methods: Sequence[str] = ()
    ) -> None:
        super().__init__(path, endpoint, AllowAny, environment=service.environment, methods=methods)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take every method."""
        match, found = super().matches(scope)
        return (Match.NONE if match is Match.NONE else Match.FULL), found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self.app(scope, *ending(scope, receive, send))


def entries(service: Service) -> tuple[Entry, ...]:
    """Return the API: what is described in `document`."""
    one = f"{observations.PATH}/{{id}}"
    photo = "/api/v1/photos/{id}"
    known = (
        Entry("GET", "/healthz", "status.see", refusing(status.health), "whether it lives"),
        Entry("GET", "/readyz", "status.see", refusing(status.readiness(service)), "how it stands"),
        Entry(
            "POST",
            "/api/v1/identify",
            "identify.ask",
            refusing(identifying(service)),
            "ask for a plant's name, and keep the answer",
        ),
        Entry(
            "GET",
            observations.PATH,
            "history.list",
            refusing(observations.listing(service)),
            "find in one's history",
        ),
        Entry("GET", one, "history.read", refusing(observations.showing(service)), "one of it"),
        Entry(
            "DELETE",
            one,
            "history.forget",
            refusing(observations.forgetting(service)),
            "delete one",
        ),
        Entry(
            "GET",
            photo,
            AllowAny,
            refusing(photos.showing_linked(service), JPEG),
            "a kept photo, by a signed link (`?link=`)",
            photos.Linked,
        ),
        Entry("GET", photo, "photo.read", refusing(photos.showing(service), JPEG), "a kept photo"),
        Entry(
            "GET",
            "/api/v1/breakers",
            "breakers.see",
            refusing(breakers.listing(service)),
            "how every breaker stands",
        ),
        Entry(
            "POST",
            "/api/v1/breakers/{name}",
            "breakers.force",
            refusing(breakers.pressing(service)),
            "force or reset a breaker",
        ),
    )
    needs = {(entry.method, entry.path): entry.needs for entry in known}
    described = refusing(document.showing(service, needs))
    return (
        *known,
        Entry("GET", "/api/v1/openapi.json", AllowAny, described, "this interface, described"),
    )


def routes(workbench: Callable[[], Workbench]) -> list[BaseRoute]:
    """Return the routes over the process's workbench."""
    service = Service(workbench)
    known = entries(service)
    made: list[BaseRoute] = [
        entry.kind(
            entry.path,
            entry.endpoint,
            entry.needs,
            environment=service.environment,
            methods=[entry.method],
            about=entry.about,
        )
        for entry in known
    ]
    for path in dict.fromkeys(entry.path for entry in known):
        methods = _allowed([entry.method for entry in known if entry.path == path])
        made.append(Other(path, _other(methods), service, ["OPTIONS"]))
    made += [Other(path, _unknown, service) for path in ("/api", "/api/{rest:path}")]
    return made


async def failure(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw; the server logs the error itself."""
    del request, error
    return problem(500, "Something went wrong here, and it has been logged.", code="internal")


def _allowed(methods: Sequence[str]) -> str:
    with_head = {*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}
    return ", ".join(sorted(with_head))


def _other(allowed: str) -> Endpoint:
    async def other(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        sentence = f"{request.url.path} takes {allowed}, not {request.method}."
        response = problem(405, sentence, code="method_not_allowed")
        response.headers["Allow"] = allowed
        return response

    return other


async def _unknown(request: Request) -> Response:
    sentence = f"There is no {request.method} {request.url.path} here."
    return problem(404, sentence, code="not_found")
