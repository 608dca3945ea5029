"""Errors over HTTP, as problem details (RFC 9457): the one table from our errors to answers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from plantid_core import errors
from plantid_core.telemetry import request

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "application/problem+json"
CHALLENGE = 'Bearer realm="plantid"'

_SOON_S, _LATER_S = 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Kind:
    """How an error is told: by which status and code; ``fields`` are its attributes that are told too.

    ``retry_s`` is when to come back, where the error itself does not say; ``sentence`` replaces its
    own where that is for the ones who run the app.
    """

    status: int
    code: str
    fields: tuple[str, ...] = ()
    retry_s: float | None = None
    sentence: str | None = None


_ELSEWHERE = "Something went wrong here, and it has been logged."

# The first class that an error is of counts. Another owner's things are "not found": nobody learns
# that they exist.
KINDS: tuple[tuple[type[errors.PlantIDError], Kind], ...] = (
    (errors.SignInRequired, Kind(401, "sign_in_required")),
    (errors.TokenRefused, Kind(401, "invalid_token")),
    (errors.PermissionDenied, Kind(403, "permission_denied", ("scope",))),
    (errors.ObservationNotFound, Kind(404, "observation_not_found")),
    (errors.PhotoNotFound, Kind(404, "photo_not_found")),
    (errors.Throttled, Kind(429, "throttled", ("limit",))),
    (errors.DeadlineExceeded, Kind(504, "deadline_exceeded")),
    (errors.ObservationRefused, Kind(400, "parameter", ("field", "limit", "value"))),
    (errors.QuotaExceeded, Kind(507, "quota_exceeded", ("limit",))),
    (errors.StorageFailed, Kind(503, "storage_failed", ("reason",), _LATER_S)),
    (
        errors.HistoryUnavailable,
        Kind(
            503,
            "history_unavailable",
            ("reason",),
            _LATER_S,
            "The history cannot be used right now. Try again in a moment.",
        ),
    ),
    (errors.BulkheadFull, Kind(503, "busy", (), _SOON_S)),
    (errors.StoreUnavailable, Kind(503, "store_unavailable", (), _LATER_S)),
    (errors.PhotoDamaged, Kind(500, "photo_damaged")),
)
_CHOICE = Kind(400, "parameter")
_SURPRISE = Kind(500, "internal", sentence=_ELSEWHERE)


def problem(status: int, detail: str, **more: object) -> Response:
    """Return a problem; ``more`` are its extension members."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **more,
    }
    if request_id := request.current():
        body["instance"] = request_id
    return Response(orjson.dumps(body), status, media_type=MEDIA_TYPE)


def answer_to(error: errors.PlantIDError) -> Response:
    """Return what somebody is answered whose request raised this."""
    if isinstance(error, errors.UploadRejected):
        return rejection(error)
    kind = kind_of(error)
    fields = {name: getattr(error, name) for name in kind.fields}
    if isinstance(error, errors.DeadlineExceeded):
        fields["limit"] = error.budget_s
    headers: dict[str, str] = {}
    retry_s = error.retry_after_s if isinstance(error, errors.Throttled) else kind.retry_s
    if retry_s is not None:
        fields["retry_after_s"] = retry_s
        headers["Retry-After"] = seconds(retry_s)
    if challenge := _challenge(error):
        headers["WWW-Authenticate"] = challenge
    sentence = kind.sentence or str(error)
    if isinstance(error, errors.ObservationRefused):
        # Its own sentence speaks of keeping, which nobody asked for here.
        sentence = f"{error.field} must be {error.limit}, and is {error.value}."
    response = problem(kind.status, sentence, **{"code": kind.code, **_told(fields)})
    response.headers.update(headers)
    return response


def kind_of(error: errors.PlantIDError) -> Kind:
    """Return how an error is told; what nobody foresaw here tells nothing of itself."""
    for cls, kind in KINDS:
        if isinstance(error, cls):
            return kind
    # The bare error is a choice that cannot be (an organ, a provider); others are of the inside.
    return _CHOICE if type(error) is errors.PlantIDError else _SURPRISE


def rejection(rejected: errors.UploadRejected) -> Response:
    """Return the problem for a refused file."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if rejected.code == "too_large":
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    elif rejected.transient:
        status = HTTPStatus.SERVICE_UNAVAILABLE
    response = problem(
        status,
        str(rejected),
        code=rejected.code,
        layer=rejected.layer,
        limit=rejected.limit,
        value=rejected.value,
        detected=rejected.detected,
    )
    if rejected.transient:
        response.headers["Retry-After"] = seconds(_SOON_S)
    return response


def seconds(wait_s: float) -> str:
    """Return a wait as ``Retry-After`` has it: whole seconds, at least one."""
    return str(max(1, math.ceil(wait_s)))


def _told(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _challenge(error: errors.PlantIDError) -> str | None:
    """Return what RFC 6750, section 3, has a refused caller told; None where a token changes nothing."""
    if isinstance(error, errors.SignInRequired):
        return CHALLENGE
    if isinstance(error, errors.TokenRefused):
        return f'{CHALLENGE}, error="invalid_token"'
    if isinstance(error, errors.PermissionDenied) and error.scope is not None:
        return f'{CHALLENGE}, error="insufficient_scope", scope="{error.scope}"'
    return None
