"""What each route takes and answers, as OpenAPI has it; what guards answer is added in `document`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.plants import ORGANS
from plantid_core.upload.policy import Policy
from plantid_core.web.api import breakers, observations, question
from plantid_core.web.api.answering import JPEG, JSON
from plantid_core.web.api.components import named, problem, ref
from plantid_core.web.api.once import HEADER, REPLAYED
from plantid_core.web.problems import MEDIA_TYPE
from plantid_core.workbench import MOST_PHOTOS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plantid_core.web.api.components import Part

# As a browser's form sends a field that was left empty.
_NOTHING: dict[str, object] = {"const": ""}


def paths() -> dict[str, dict[str, Part]]:
    """Return every operation, by its path and method."""
    observation, photo = f"{observations.PATH}/{{id}}", "/api/v1/photos/{id}"
    return {
        "/healthz": {
            "get": _operation(
                "health", "operate", "Whether the process lives", {200: _json("Health")}
            )
        },
        "/readyz": {
            "get": _operation(
                "readiness",
                "operate",
                "How what is depended on stands",
                {200: _json("Readiness"), 503: _json("Readiness", "No provider can be asked.")},
            )
        },
        "/api/v1/identify": {"post": _identify()},
        observations.PATH: {
            "get": _operation(
                "listIdentifications",
                "history",
                "A page of what you keep, newest first",
                {200: _json("KeptPage", headers=("Link",))},
                parameters=observations.FILTERS,
            )
        },
        observation: {
            "get": _operation(
                "getIdentification",
                "history",
                "One identification, as it is kept",
                {200: _json("KeptIdentification")},
                refusals=(404,),
                parameters=("id", "owner"),
            ),
            "delete": _operation(
                "deleteIdentification",
                "history",
                "Delete one, with its photos and cached answers",
                {204: {"description": "It is gone."}},
                refusals=(404,),
                parameters=("id",),
            ),
        },
        photo: {
            "get": _operation(
                "getPhoto",
                "history",
                "A kept photo, to its owner, an admin, or whoever has its link",
                {
                    200: {
                        "description": "The cleaned photo.",
                        "content": {JPEG: {"schema": {"type": "string", "format": "binary"}}},
                        "headers": named(("ETag", "Cache-Control")),
                    },
                    304: {"description": "You have it.", "headers": named(("ETag",))},
                },
                refusals=(404,),
                parameters=("photo_id", "owner", "If-None-Match"),
            )
        },
        "/api/v1/breakers": {
            "get": _operation(
                "listBreakers",
                "operate",
                "How every breaker stands",
                {200: _json_of({"type": "array", "items": ref("schemas", "Breaker")})},
            )
        },
        "/api/v1/breakers/{name}": {"post": _press()},
        "/api/v1/openapi.json": {
            "get": _operation(
                "describe", "operate", "This document", {200: _json_of({"type": "object"})}
            )
        },
    }


def _identify() -> Part:
    operation = _operation(
        "identify",
        "identify",
        "Identify one plant by one to five photos, and keep the answer",
        {
            200: _json("Identification", headers=("Content-Location", REPLAYED)),
            503: {
                "description": "Nobody could answer, or something that is needed cannot be used.",
                "headers": named(("Retry-After",)),
                "content": {
                    JSON: {"schema": ref("schemas", "Identification")},
                    MEDIA_TYPE: {"schema": ref("schemas", "Problem")},
                },
            },
        },
        refusals=(409, 415, 422, 504),
        parameters=(HEADER,),
    )
    operation["requestBody"] = {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "additionalProperties": False,
                    "dependentRequired": {"lat": ["lon"], "lon": ["lat"]},
                    "properties": _form(),
                },
                "encoding": {
                    "images": {"contentType": "image/jpeg, image/png, image/webp, image/gif"}
                },
            }
        },
    }
    return operation


def _form() -> Part:
    most_mb = Policy().max_bytes / 1e6
    return {
        "images": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_PHOTOS,
            "items": {"type": "string", "format": "binary"},
            "description": f"Photos of one plant: JPEG, PNG, WebP or GIF, each up to {most_mb:.0f} MB.",
        },
        "organs": {
            "type": "array",
            "maxItems": MOST_PHOTOS,
            "items": {"enum": list(ORGANS)},
            "description": "What each photo shows, one a photo; none: the services see for themselves.",
        },
        "lat": {
            "anyOf": [{"type": "number", "minimum": -90, "maximum": 90}, _NOTHING],
            "description": "Where it grows, in degrees, WGS 84; with `lon`.",
        },
        "lon": {"anyOf": [{"type": "number", "minimum": -180, "maximum": 180}, _NOTHING]},
        "date": {
            "anyOf": [{"type": "string", "format": "date"}, _NOTHING],
            "description": "When it was seen.",
        },
        "language": {
            "type": "string",
            "pattern": f"^({question.LANGUAGE.pattern})?$",
            "default": "en",
            "description": "Of the common names.",
        },
    }


def _press() -> Part:
    operation = _operation(
        "pressBreaker",
        "operate",
        "Have a breaker do something, in every process (admin)",
        {200: _json("Breaker")},
        refusals=(404, 409, 415),
        parameters=("name",),
    )
    operation["requestBody"] = {
        "required": True,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["action"],
                    "additionalProperties": False,
                    "properties": {"action": {"enum": list(breakers.ACTIONS)}},
                },
                "example": {"action": "reset"},
            }
        },
    }
    return operation


def _operation(
    name: str,
    tag: str,
    summary: str,
    answers: Mapping[int, Part],
    *,
    refusals: Iterable[int] = (),
    parameters: Iterable[str] = (),
) -> Part:
    problems = {status: problem(status) for status in refusals if status not in answers}
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "parameters": [ref("parameters", one) for one in parameters],
        "responses": {
            str(status): answer for status, answer in sorted({**answers, **problems}.items())
        },
    }


def _json(schema: str, about: str = "", *, headers: tuple[str, ...] = ()) -> Part:
    return _json_of(ref("schemas", schema), about, headers=headers)


def _json_of(schema: Part, about: str = "", *, headers: tuple[str, ...] = ()) -> Part:
    answer: Part = {"description": about or "So it is.", "content": {JSON: {"schema": schema}}}
    if headers:
        answer["headers"] = named(headers)
    return answer
