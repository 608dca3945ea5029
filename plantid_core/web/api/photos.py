"""``GET /api/v1/photos/{id}``: a kept photo, to its owner, an admin, or whoever has a signed link."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Match

from plantid_core.errors import ObservationNotFound, PhotoNotFound
from plantid_core.web.api import download, parameters
from plantid_core.web.api.answering import JPEG
from plantid_core.web.api.observations import owner_asked
from plantid_core.web.problems import problem
from plantid_core.web.route import Guarded

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Scope

    from plantid_core.web.api.answering import Endpoint, Service

_LINK = re.compile(rb"(?:^|&)link=")
_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_NAME_LENGTH = 12


class Linked(Guarded):
    """A route for those requests alone that bring a link."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether this is one."""
        if _LINK.search(scope.get("query_string", b"")) is None:
            return Match.NONE, {}
        return super().matches(scope)


def showing(service: Service) -> Endpoint:
    """Return the endpoint for the owner and admins."""

    async def shown(request: Request) -> Response:
        desk = service.desk(request)
        try:
            owner = owner_asked(request, desk)
        except ObservationNotFound:
            raise PhotoNotFound from None
        photo_id = str(request.path_params["id"])
        collection = desk.collection
        return _answer(request, await service.read(lambda: collection.photo(photo_id, owner=owner)))

    return shown


def showing_linked(service: Service) -> Endpoint:
    """Return the endpoint for whoever brings a link."""

    async def shown(request: Request) -> Response:
        parameters.only(request.query_params, ("link", "owner"))  # the link itself tells whose
        signed = request.query_params["link"]
        photo_id = str(request.path_params["id"])

        def photo() -> bytes:
            workbench = service.workbench()
            access = workbench.access
            owner = download.owner_of(access.keys, access.people, photo_id, signed)
            return workbench.collection.photo(owner, photo_id)

        try:
            return _answer(request, await service.read(photo))
        except download.LinkRefused as refused:
            return problem(403, str(refused), code="link_refused")

    return shown


def _answer(request: Request, jpeg: bytes) -> Response:
    photo_id = str(request.path_params["id"])
    headers = {
        # The id is a digest of the bytes: under it they never change, though they may go.
        "ETag": f'"{photo_id}"',
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{photo_id[:_NAME_LENGTH]}.jpg"',
    }
    if _is_known(request.headers.getlist("if-none-match"), photo_id):
        return Response(status_code=304, headers=headers)
    return Response(jpeg, headers=headers, media_type=JPEG)


def _is_known(headers: list[str], tag: str) -> bool:
    """Tell whether ``If-None-Match`` names it (RFC 9110, section 13.1.2)."""
    return any(header.strip() == "*" or tag in _TAG.findall(header) for header in headers)
