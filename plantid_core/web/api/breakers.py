"""``/api/v1/breakers``: how every breaker stands, and what an admin has it do."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from starlette.exceptions import HTTPException

from plantid_core.web.api import parameters
from plantid_core.web.api.answering import JSON, told
from plantid_core.web.api.parameters import Unfit
from plantid_core.web.problems import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from plantid_core.resilience.breaker import Breaker
    from plantid_core.web.api.answering import Endpoint, Service

_MOST_BODY_BYTES = 10_000


def _reset(breaker: Breaker) -> None:
    breaker.force("auto")
    breaker.close()


# In every process that shares the Redis.
ACTIONS: Mapping[str, Callable[[Breaker], None]] = {
    "open": lambda breaker: breaker.open(),
    "close": lambda breaker: breaker.close(),
    "force_open": lambda breaker: breaker.force("forced-open"),
    "force_close": lambda breaker: breaker.force("disabled"),
    "metrics_only": lambda breaker: breaker.force("metrics-only"),
    "auto": lambda breaker: breaker.force("auto"),
    "reset": _reset,
}


def listing(service: Service) -> Endpoint:
    """Return the endpoint that tells of all."""

    async def reports(request: Request) -> Response:
        parameters.only(request.query_params, ())
        desk = service.desk(request)
        return told(await service.looking.run(desk.breaker_reports))

    return reports


def pressing(service: Service) -> Endpoint:
    """Return the endpoint that has one do something."""

    async def pressed(request: Request) -> Response:
        parameters.only(request.query_params, ())
        desk = service.desk(request)
        # Permission first: what is there and what is not is nobody else's to find out.
        workbench = desk.workbench_for("breakers.force")
        act = ACTIONS[_action(await _object(request))]
        name = str(request.path_params["name"])
        known = {report["name"] for report in await service.looking.run(desk.breaker_reports)}
        if name not in known:
            names = ", ".join(sorted(workbench.breakers))
            return problem(404, f"There is no such breaker. Known: {names}.", code="not_found")
        breaker = workbench.breakers.get(name)
        if breaker is None:
            sentence = "This breaker goes by itself: it asks again until Redis answers."
            return problem(409, sentence, code="not_by_hand")
        chosen = breaker
        await service.looking.run(lambda: act(chosen))
        return told(await service.looking.run(chosen.report))

    return pressed


async def _object(request: Request) -> dict[str, object]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise HTTPException(415, f"Send {JSON}.", {"Accept-Post": JSON})
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BODY_BYTES:
            sentence = f"This takes no more than {_MOST_BODY_BYTES:,} bytes."
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise Unfit(
            "the body", 'a JSON object like {"action": "reset"}', body.decode("utf-8", "replace")
        )
    return found


def _action(found: Mapping[str, object]) -> str:
    if found.keys() != {"action"}:
        raise Unfit("the body", 'a JSON object like {"action": "reset"}', ", ".join(found) or "{}")
    return parameters.choice("action", str(found.get("action", "")), tuple(ACTIONS))
