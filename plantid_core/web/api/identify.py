"""``POST /api/v1/identify``: photos in, ranked species out, kept in the sender's history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.web.api import hot, parameters, question
from plantid_core.web.api.answering import Busy, told
from plantid_core.web.api.once import Once, key_of
from plantid_core.web.problems import seconds

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from plantid_core.desk import Desk
    from plantid_core.web.api.answering import Endpoint, Service
    from plantid_core.web.api.hot import Asked


def identifying(service: Service) -> Endpoint:
    """Return the endpoint."""
    once = Once(service)

    async def identify(request: Request) -> Response:
        if request.scope["query_string"]:
            # What belongs into the form would else be passed over in silence.
            parameters.only(request.query_params, ())
        key = key_of(request)
        lane = service.identifying
        if lane.full():
            raise Busy  # before the photos are read
        asked = await question.read(request)
        desk = service.desk(request)
        # Where nobody owns what is made, nobody's key could be told from another's.
        if key is None or desk.owner is None:
            return await _answered(service, desk, asked)
        return await once.answered(
            desk.owner, key, question.fingerprint(asked), lambda: _answered(service, desk, asked)
        )

    return identify


async def _answered(service: Service, desk: Desk, asked: Asked) -> Response:
    found = await hot.identified(desk, service.identifying, asked)
    outcome = found.outcome
    if outcome.rung == "none":
        return told(found.body, 503, {"Retry-After": seconds(outcome.retry_after_s)})
    if desk.owner is None or "history" in outcome.degraded:
        return told(found.body)
    # Only what is kept is found there.
    return told(found.body, 200, {"Content-Location": f"/api/v1/identifications/{outcome.id}"})
