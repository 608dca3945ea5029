"""``/api/v1/identifications``: what a person keeps, a page at a time, one, or gone."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from starlette.responses import Response

from plantid_core.errors import ObservationNotFound
from plantid_core.export.as_json import as_json
from plantid_core.store.history.limits import SEARCH_LENGTH
from plantid_core.store.history.values import Filter
from plantid_core.web.api import download, parameters
from plantid_core.web.api.answering import told
from plantid_core.web.api.parameters import Unfit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from starlette.datastructures import QueryParams
    from starlette.requests import Request

    from plantid_core.desk import Desk
    from plantid_core.store.history.values import Observed, Page
    from plantid_core.web.api.answering import Endpoint, Service

    T = TypeVar("T")

PATH = "/api/v1/identifications"
FILTERS = ("limit", "after", "text", "provider", "verified", "since", "until")
LEAST, MOST, USUAL = 1, 100, 20
# As `Page.after` is: microseconds since 1970, and an id.
AFTER = "^[0-9]{1,17}[.][A-Za-z0-9_-]{1,64}$"

_PROVIDER_LENGTH = 64
# What only the whole observation tells.
_WHOLE_ONLY = ("answers", "determinations")


def listing(service: Service) -> Endpoint:
    """Return the endpoint of a page."""

    async def found(request: Request) -> Response:
        query = request.query_params
        parameters.only(query, FILTERS)
        limit = parameters.whole("limit", query.get("limit", str(USUAL)), LEAST, MOST)
        after = query.get("after")
        if after is not None:
            parameters.matching("after", after, re.compile(AFTER), "a page's own `after`")
        wanted = wanted_by(query)
        collection = service.desk(request).collection
        page = await service.read(lambda: collection.find(wanted, limit=limit, after=after))
        headers = {} if page.after is None else {"Link": next_link(query, page.after)}
        return told(page_json(page), 200, headers)

    return found


def showing(service: Service) -> Endpoint:
    """Return the endpoint of one."""

    async def shown(request: Request) -> Response:
        desk = service.desk(request)
        owner = owner_asked(request, desk)
        id_ = str(request.path_params["id"])
        collection = desk.collection
        observed = await service.read(lambda: collection.get(id_, owner=owner))
        return told(whole_json(observed, desk, service))

    return shown


def forgetting(service: Service) -> Endpoint:
    """Return the endpoint that deletes one."""

    async def forgotten(request: Request) -> Response:
        parameters.only(request.query_params, ())
        collection = service.desk(request).collection
        id_ = str(request.path_params["id"])
        deleted = await service.read(lambda: collection.forget([id_]))
        if not deleted.observations:
            raise ObservationNotFound
        return Response(status_code=204)

    return forgotten


def wanted_by(query: QueryParams) -> Filter:
    """Return what a query wants; raises `Unfit`."""
    return Filter(
        text=_short("text", query.get("text"), SEARCH_LENGTH) or "",
        provider=_short("provider", query.get("provider"), _PROVIDER_LENGTH) or None,
        verified=_read(query, "verified", parameters.truth),
        since=_read(query, "since", parameters.moment),
        until=_read(query, "until", parameters.moment),
    )


def owner_asked(request: Request, desk: Desk) -> str | None:
    """Return whose things are asked for, None for the sender's own.

    Whoever may not see another's is told what they would be told of anything that is not there.
    """
    parameters.only(request.query_params, ("owner",))
    owner = request.query_params.get("owner")
    if owner is not None and not desk.may("history.read", owner):
        raise ObservationNotFound
    return owner


def next_link(query: QueryParams, after: str) -> str:
    """Return the ``Link`` header (RFC 8288) to the page that follows."""
    others = [(name, value) for name, value in query.multi_items() if name != "after"]
    return f'<{PATH}?{urlencode([*others, ("after", after)], quote_via=quote)}>; rel="next"'


def page_json(page: Page) -> dict[str, object]:
    """Return a page: of each observation all but its answers."""
    return {
        "total": page.total,
        "after": page.after,
        "identifications": [_summary(observed) for observed in page.observations],
    }


def whole_json(observed: Observed, desk: Desk, service: Service) -> dict[str, object]:
    """Return all of an observation; each photo with an address, and a link that needs no sign-in."""
    keys = service.workbench().access.keys
    whose = {} if observed.owner == desk.owner else {"owner": observed.owner}
    photos = [
        {**photo, "link": download.link(keys, str(photo["sha256"]), observed.owner)}
        for photo in _photos(observed, whose)
    ]
    return {**as_json(observed), "photos": photos}


def _summary(observed: Observed) -> dict[str, object]:
    known = {name: value for name, value in as_json(observed).items() if name not in _WHOLE_ONLY}
    return {**known, "photos": _photos(observed, {}), "url": f"{PATH}/{observed.id}"}


def _photos(observed: Observed, whose: Mapping[str, str]) -> list[dict[str, object]]:
    query = f"?{urlencode(whose)}" if whose else ""
    photos = []
    for photo in observed.photos:
        told_of = asdict(photo)
        sha256, kind = told_of.pop("photo_id"), told_of.pop("source_format")
        url = f"{download.PATH}/{sha256}{query}"
        photos.append({"sha256": sha256, **told_of, "format": kind, "url": url})
    return photos


def _read(query: QueryParams, field: str, reading: Callable[[str, str], T]) -> T | None:
    return reading(field, query[field]) if field in query else None


def _short(field: str, text: str | None, most: int) -> str | None:
    if text is not None and len(text) > most:
        raise Unfit(field, f"at most {most} characters long", f"{len(text)} long")
    if text is not None and "\x00" in text:
        raise Unfit(field, "text, without a null character", text)  # PostgreSQL knows no such text
    return text
