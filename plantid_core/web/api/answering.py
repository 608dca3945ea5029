"""What every route does alike: JSON out, refusals as problems, and no thread of another route's."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

from plantid_core.desk import Desk
from plantid_core.errors import PlantIDError
from plantid_core.web.api.parameters import Unfit
from plantid_core.web.caller import address_of, principal_of
from plantid_core.web.lane import Lane
from plantid_core.web.problems import answer_to, problem, seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import TypeAlias, TypeVar

    from starlette.requests import Request

    from plantid_core.access.permissions import Environment
    from plantid_core.workbench import Workbench

    T = TypeVar("T")
    Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

JSON, JPEG = "application/json", "image/jpeg"

_IDENTIFYING, _READING, _WAITING, _LOOKING = 128, 16, 128, 8
_BUSY_RETRY_S = 1
_SERVER_FAULT = 500
_UNREAD = frozenset({413, 415})


class Busy(Exception):
    """Every thread of a lane is taken, and as many requests wait as may."""


class Service:
    """The process's workbench, and the threads that routes are answered on.

    They are apart: whoever wants to know how things stand must not wait for a service that is stuck,
    and nobody who reads a photo for one who asks for a name.
    """

    def __init__(self, workbench: Callable[[], Workbench]) -> None:
        self.workbench = workbench
        self.identifying = Lane(_IDENTIFYING, _WAITING)
        self.reading = Lane(_READING, _WAITING)
        self.looking = Lane(_LOOKING)

    def environment(self) -> Environment:
        """Return where the app runs."""
        return self.workbench().settings.environment

    def desk(self, request: Request) -> Desk:
        """Return the workbench as far as the sender may use it."""
        return Desk(self.workbench(), principal_of(request.scope), address_of(request.scope))

    async def read(self, job: Callable[[], T]) -> T:
        """Return what a job returns that reads or changes what is kept; raises `Busy`."""
        if self.reading.full():
            raise Busy
        return await self.reading.run(job)


def refusing(work: Endpoint, makes: str = JSON) -> Endpoint:
    """Return the endpoint with its refusals told as problems; ``makes`` is its answers' media type."""

    async def answer(request: Request) -> Response:
        accept = request.headers.get("accept")
        if accept is not None and not accepts(accept, makes):
            return problem(406, f"This answers {makes}. Accept it.", code="not_acceptable")
        try:
            return await work(request)
        except Unfit as error:
            return unfit(error)
        except PlantIDError as error:
            response = answer_to(error)
            if response.status_code == _SERVER_FAULT:
                name = type(error).__name__
                structlog.get_logger().error("request failed", error=name, exc_info=error)
            return response
        except Busy:
            return busy()
        except HTTPException as error:
            return refused(error)

    return answer


def accepts(accept: str, media_type: str) -> bool:
    """Tell whether an ``Accept`` header allows a media type (RFC 9110, section 12.5.1)."""
    if accept in {"*/*", ""}:
        return True
    ranges = {media_type, f"{media_type.partition('/')[0]}/*", "*/*"}
    for part in accept.split(","):
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        if name in ranges and not any(_is_never(parameter) for parameter in parameters):
            return True
    return False


def told(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return JSON; bytes are JSON already."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, headers, JSON)


def unfit(error: Unfit) -> Response:
    """Return the answer to a field that cannot be used."""
    return problem(
        400,
        str(error),
        code="parameter",
        field=error.field,
        limit=error.limit,
        value=error.value,
    )


def busy() -> Response:
    """Return the answer where no thread is free."""
    response = problem(
        503,
        "Too many requests are under way. Try again in a second.",
        code="busy",
        retry_after_s=_BUSY_RETRY_S,
    )
    response.headers.update({"Retry-After": seconds(_BUSY_RETRY_S), "Connection": "close"})
    return response


def refused(error: HTTPException) -> Response:
    """Return the problem for what Starlette, or a guard, refused."""
    response = problem(error.status_code, error.detail, code="request")
    response.headers.update(cast("Mapping[str, str]", error.headers or {}))
    if error.status_code in _UNREAD:
        # What is not read of the request, the server would else go on reading.
        response.headers["Connection"] = "close"
    return response


def _is_never(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0").rstrip(".") in {"", "0"}
