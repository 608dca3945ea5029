"""``/healthz`` and ``/readyz``: whether the process lives, and what it depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.web.api.answering import told

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from plantid_core.web.api.answering import Endpoint, Service


async def health(request: Request) -> Response:
    """Answer as long as the process can."""
    del request
    return told({"status": "ok"})


def readiness(service: Service) -> Endpoint:
    """Return the endpoint that tells how things stand."""

    async def ready(request: Request) -> Response:
        desk = service.desk(request)
        state = await service.looking.run(desk.readiness)
        return told(state, 200 if state["ready"] else 503)

    return ready
