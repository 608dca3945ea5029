"""The OpenAPI 3.1 document: every route, what it takes, and all that it or a guard may answer."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, cast

import orjson

from plantid_core.access.permissions import AllowAny, Permission
from plantid_core.access.rules import RULES, allowed
from plantid_core.web.api.answering import told
from plantid_core.web.api.components import components, named, problem
from plantid_core.web.api.operations import paths
from plantid_core.web.caller import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from starlette.requests import Request
    from starlette.responses import Response

    from plantid_core.access.rules import Action
    from plantid_core.settings import Settings
    from plantid_core.web.api.answering import Endpoint, Service
    from plantid_core.web.api.components import Part

    Needs: TypeAlias = Mapping[tuple[str, str], Action | Permission]

_SUBJECTS = {
    "identify": "Ask for a plant's name.",
    "history": "What you keep: nobody else's, unless you are an admin.",
    "operate": "How the app stands.",
}
# What guards and routers answer anywhere; and what they do beside that where one may show who one is.
_ANYWHERE = (400, 405, 406, 408, 413, 414, 429, 500)
_IN_THE_API = (401, 403, 503)
_API = "/api/"
_ALWAYS_SENT = ("X-Request-ID", "RateLimit-Policy", "RateLimit")


def showing(service: Service, needs: Needs) -> Endpoint:
    """Return the endpoint of the document; ``needs`` tells what each method of a path takes."""
    made: list[bytes] = []

    async def shown(request: Request) -> Response:
        del request
        if not made:
            made.append(orjson.dumps(document(service.workbench().settings, needs)))
        return told(made[0])

    return shown


def document(settings: Settings, needs: Needs) -> dict[str, object]:
    """Return the document; where nobody can sign in, or need not, it says so."""
    described = paths()
    for path, operations in described.items():
        for method, operation in operations.items():
            operation["security"] = _security(needs.get((method.upper(), path), AllowAny), settings)
            answers = cast("dict[str, Part]", operation["responses"])
            operation["responses"] = _guarded(path, method, answers)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Plant-ID workbench",
            "version": importlib.metadata.version("plantid"),
            "summary": "Photos in, ranked species out, by several services at once.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": about} for name, about in _SUBJECTS.items()],
        "paths": described,
        "components": components(),
    }


def _guarded(path: str, method: str, answers: Mapping[str, Part]) -> dict[str, Part]:
    """Return a route's answers, and those of the guards around it."""
    statuses = (*_ANYWHERE, *_IN_THE_API) if path.startswith(_API) else _ANYWHERE
    found = {**{str(status): problem(status) for status in statuses}, **answers}
    if method == "get" and path.startswith(_API):
        about = "Sent by plain HTTP, where only HTTPS is answered."
        found["308"] = {"description": about, "headers": named(("Location",))}
    for answer in found.values():
        headers = cast("Part", answer.get("headers", {}))
        answer["headers"] = {**headers, **named(_ALWAYS_SENT)}
    return dict(sorted(found.items()))


def _security(needs: Action | Permission, settings: Settings) -> list[Part]:
    """Return by what one may show who one is; an empty way stands for nothing at all."""
    if isinstance(needs, Permission) or RULES[needs].permission is AllowAny:
        return []
    ways: list[Part] = [{"token": []}, {"session": []}]
    if needs == "photo.read":
        ways.append({"link": []})
    nobody = unknown(settings)
    if allowed(nobody, needs, settings.environment, nobody.owner):
        ways.append({})
    return ways
