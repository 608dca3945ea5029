"""Parts of the OpenAPI document that many routes name: parameters, headers, problems, ways to sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.store.history.limits import SEARCH_LENGTH
from plantid_core.web.api import observations
from plantid_core.web.api.once import HEADER, KEY, REPLAYED
from plantid_core.web.api.schemas import schemas
from plantid_core.web.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    Part: TypeAlias = dict[str, object]

# What is said of a problem's status; each route lists those that it, or a guard, can answer with.
PROBLEMS = {
    400: "A header, a field or the query cannot be used; or the host is none of ours.",
    401: "Sign in, or send a token; or the token is unknown, expired or revoked.",
    403: "You, or your token, may not do this; or a write came from another site.",
    404: "There is no such thing, or it is another person's.",
    405: "The path does not take this method.",
    406: "The answer has another media type than is accepted.",
    409: "It is not possible right now: see the sentence.",
    408: "The request took too long to arrive.",
    413: "A photo, or the whole request, is too large.",
    414: "The address is longer than 8,192 bytes.",
    415: "The body is of another media type.",
    422: "A photo was refused; or the Idempotency-Key was used for another request.",
    429: "Too many requests of one person or address. Come back after the seconds told.",
    500: "Something went wrong here, and it has been logged.",
    503: "Something that is needed cannot be used, or too many ask. Come back after the seconds told.",
    504: "No answer within the time allowed.",
}
_RETRIED = frozenset({409, 429, 503})
# What the history's search, and `guards.target`, do not take.
_NO_NULL = r"^[^\u0000]*$"
_IN_A_PATH = r"^[^\u0000-\u001f\u007f\\/]+$"


def components() -> Part:
    """Return all that is referred to."""
    return {
        "schemas": schemas(),
        "headers": _headers(),
        "parameters": _parameters(),
        "securitySchemes": _ways_in(),
    }


def problem(status: int) -> Part:
    """Return the answer of a problem's status."""
    answer: Part = {
        "description": PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": ref("schemas", "Problem")}},
    }
    if status in _RETRIED:
        answer["headers"] = named(("Retry-After",))
    return answer


def ref(room: str, name: str) -> Part:
    """Return a reference to a component of a room: schemas, headers, parameters."""
    return {"$ref": f"#/components/{room}/{name}"}


def named(headers: Iterable[str]) -> Part:
    """Return references to headers, by their names."""
    return {name: ref("headers", name) for name in headers}


def _headers() -> Part:
    text = {"type": "string"}
    return {
        "Retry-After": {
            "schema": {"type": "integer", "minimum": 1},
            "description": "Seconds until it is worth another try.",
        },
        "Content-Location": {"schema": text, "description": "Where the answer is kept, if it is."},
        REPLAYED: {
            "schema": {"const": "true"},
            "description": "The answer that this Idempotency-Key was given before.",
        },
        "Link": {"schema": text, "description": 'The next page, `rel="next"` (RFC 8288).'},
        "RateLimit-Policy": {"schema": text, "description": "How often one may ask."},
        "RateLimit": {"schema": text, "description": "How often one still may, and until when."},
        "X-Request-ID": {"schema": text, "description": "Under which the log tells of it."},
        "Location": {"schema": text, "description": "The same address, by HTTPS."},
        "ETag": {"schema": text, "description": "The photo's id."},
        "Cache-Control": {"schema": text, "description": "private: for this client alone."},
    }


def _parameters() -> Part:
    text = {"type": "string"}
    kept = {**text, "pattern": _NO_NULL}
    part = {**text, "pattern": _IN_A_PATH}
    moment: Part = {
        "anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]
    }
    limit: Part = {
        "type": "integer",
        "minimum": observations.LEAST,
        "maximum": observations.MOST,
        "default": observations.USUAL,
    }
    in_query = {
        "limit": (limit, "How many at most."),
        "after": ({**text, "pattern": observations.AFTER}, "The page's before."),
        "text": ({**kept, "maxLength": SEARCH_LENGTH}, "A part of a name, in any case."),
        "provider": ({**kept, "maxLength": 64}, "Where this provider named something."),
        "verified": (
            {"type": "boolean"},
            "With a standing confirmation or correction, or without.",
        ),
        "since": (moment, "Made then or later."),
        "until": (moment, "Made before."),
        "owner": (text, "Whose it is, where that is not you (admin)."),
    }
    in_header = {
        HEADER: (
            {**text, "pattern": f"^({KEY.pattern})$"},
            "A new one for each request; the same when it is sent again.",
        ),
        "If-None-Match": (text, "The ETag of the photo that you have."),
    }
    in_path = {
        "id": ("id", part, "The identification's."),
        "photo_id": ("id", part, "The photo's: its sha256."),
        "name": ("name", part, "The breaker's."),
    }
    return {
        **{
            name: {"name": name, "in": "query", "schema": schema, "description": about}
            for name, (schema, about) in in_query.items()
        },
        **{
            name: {"name": name, "in": "header", "schema": schema, "description": about}
            for name, (schema, about) in in_header.items()
        },
        **{
            key: {
                "name": name,
                "in": "path",
                "required": True,
                "schema": schema,
                "description": about,
            }
            for key, (name, schema, about) in in_path.items()
        },
    }


def _ways_in() -> Part:
    return {
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "Made by `plantid token create`; sent with every request.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "_streamlit_user",
            "description": "A browser that is signed in. Writes need an Origin of ours.",
        },
        "link": {
            "type": "apiKey",
            "in": "query",
            "name": "link",
            "description": "Of a signed link to a photo: for a quarter of an hour.",
        },
    }
