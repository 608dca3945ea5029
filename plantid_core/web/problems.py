"""Errors over HTTP, as problem details (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from plantid_core.errors import UploadRejected


def problem(status: int, detail: str, **more: object) -> JSONResponse:
    """Return a problem; ``more`` are its extension members."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    return JSONResponse(
        {**body, "detail": detail, **more}, status, media_type="application/problem+json"
    )


def rejection(rejected: UploadRejected) -> JSONResponse:
    """Return the problem for a refused file."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if rejected.code == "too_large":
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    elif rejected.transient:
        status = HTTPStatus.SERVICE_UNAVAILABLE
    return problem(
        status,
        str(rejected),
        code=rejected.code,
        layer=rejected.layer,
        limit=rejected.limit,
        value=rejected.value,
        detected=rejected.detected,
    )
