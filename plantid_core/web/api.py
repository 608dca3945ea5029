"""The routes beside the pages: health, readiness, identify."""

from __future__ import annotations

import datetime as dt
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from plantid_core.errors import DeadlineExceeded, PlantIDError, UploadRejected
from plantid_core.plants import Place
from plantid_core.upload import Upload
from plantid_core.upload.policy import MIB
from plantid_core.web.lane import Lane
from plantid_core.web.problems import problem, rejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.routing import BaseRoute
    from starlette.types import Message

    from plantid_core.plants import Organ, Outcome
    from plantid_core.workbench import Workbench

_MOST_BODY_BYTES = 51 * MIB
_IDENTIFYING, _WAITING, _LOOKING = 128, 128, 8
_BUSY_RETRY_S = 1
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_NOT_POST = [method for method in _METHODS if method != "POST"]


def routes(workbench: Callable[[], Workbench]) -> list[BaseRoute]:
    """Return the routes over the process's workbench."""
    # Threads apart: whoever wants to know how things stand must not wait for a service that is stuck.
    identifying, looking = Lane(_IDENTIFYING, _WAITING), Lane(_LOOKING)
    return [
        Route("/healthz", _health),
        Route("/readyz", _readiness(workbench, looking)),
        Route("/api/v1/identify", _identify(workbench, identifying), methods=["POST"]),
        Route("/api/v1/identify", _only_post, methods=_NOT_POST),
        Route("/api/v1/breakers", _breakers(workbench, looking)),
        Route("/api", _unknown, methods=_METHODS),
        Route("/api/{rest:path}", _unknown, methods=_METHODS),
    ]


async def _health(request: Request) -> Response:
    del request
    return JSONResponse({"status": "ok"})


def _readiness(
    workbench: Callable[[], Workbench], lane: Lane
) -> Callable[[Request], Awaitable[Response]]:
    async def readiness(request: Request) -> Response:
        del request
        state = await lane.run(lambda: workbench().readiness())
        return JSONResponse(state, 200 if state["ready"] else 503)

    return readiness


def _breakers(
    workbench: Callable[[], Workbench], lane: Lane
) -> Callable[[Request], Awaitable[Response]]:
    async def breakers(request: Request) -> Response:
        del request
        return JSONResponse(await lane.run(lambda: workbench().breaker_reports()))

    return breakers


def _identify(
    workbench: Callable[[], Workbench], lane: Lane
) -> Callable[[Request], Awaitable[Response]]:
    async def identify(request: Request) -> Response:
        if lane.full():
            return _busy()
        try:
            async with _bounded(request).form(max_files=10, max_fields=30) as form:
                uploads = [await _upload(part) for part in form.getlist("images")]
                place, date = _place(form), _date(form)
                organs = cast("list[Organ]", [str(organ) for organ in form.getlist("organs")])
                language = str(form.get("language") or "en")
        except (ValueError, HTTPException) as error:
            return _unreadable(error)
        user = request.client.host if request.client else "local"
        if lane.full():  # by those whose photos came while these did
            return _busy()
        try:
            outcome = await lane.run(
                lambda: workbench().identify(
                    uploads,
                    organs=organs,
                    place=place,
                    date=date,
                    language=language,
                    user=user,
                )
            )
        except PlantIDError as error:
            return _refusal(error)
        return _told(outcome)

    return identify


def _refusal(error: PlantIDError) -> Response:
    if isinstance(error, UploadRejected):
        return rejection(error)
    if isinstance(error, DeadlineExceeded):
        return problem(504, str(error), limit=error.budget_s)
    return problem(400, str(error))


def _told(outcome: Outcome) -> Response:
    if outcome.rung != "none":
        return JSONResponse(outcome.to_dict())
    return JSONResponse(
        outcome.to_dict(), 503, {"Retry-After": str(math.ceil(outcome.retry_after_s))}
    )


def _busy() -> Response:
    response = problem(503, "Too many requests are under way. Try again in a second.")
    # The photos are not read: else the server would go on reading what the client still sends.
    response.headers.update({"Retry-After": str(_BUSY_RETRY_S), "Connection": "close"})
    return response


def _bounded(request: Request) -> Request:
    """Return the request, its body refused as soon as it is larger than photos can be."""
    too_large = HTTPException(413, "The request is larger than five photos can be.")
    if int(request.headers.get("content-length") or 0) > _MOST_BODY_BYTES:
        raise too_large
    left = _MOST_BODY_BYTES

    # Counted as well, since a chunked request announces no length.
    async def receive() -> Message:
        nonlocal left
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise too_large
        return message

    return Request(request.scope, receive)


def _unreadable(error: ValueError | HTTPException) -> Response:
    if not isinstance(error, HTTPException):
        return problem(400, str(error))
    response = problem(error.status_code, error.detail)
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        response = problem(error.status_code, error.detail, limit=_MOST_BODY_BYTES)
        # Else the server would go on reading, and dropping, what the client still sends.
        response.headers["Connection"] = "close"
    return response


async def _upload(part: UploadFile | str) -> Upload:
    if not isinstance(part, UploadFile):
        raise ValueError("images must be files.")  # noqa: TRY004 - a fault of the request's value
    return Upload(await part.read(), part.filename or "", part.content_type)


def _place(form: FormData) -> Place | None:
    given = [form.get("lat"), form.get("lon")]
    if not any(given):
        return None
    try:
        latitude, longitude = (float(str(part)) for part in given)
    except ValueError:
        raise ValueError("lat and lon must both be numbers, in degrees.") from None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # noqa: PLR2004 - the globe
        raise ValueError("lat must be within -90 to 90 and lon within -180 to 180 degrees.")
    return Place(latitude, longitude)


def _date(form: FormData) -> dt.date | None:
    given = form.get("date")
    try:
        return dt.date.fromisoformat(str(given)) if given else None
    except ValueError:
        raise ValueError("date must be a day like 2026-05-01.") from None


async def _only_post(request: Request) -> Response:
    response = problem(405, f"{request.url.path} takes POST, not {request.method}.")
    response.headers["Allow"] = "POST"
    return response


async def _unknown(request: Request) -> Response:
    return problem(404, f"There is no {request.method} {request.url.path} here.")


async def failure(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw; the server logs the error itself."""
    del request, error
    return problem(500, "Something went wrong here, and it has been logged.")
