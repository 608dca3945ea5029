"""How much a request may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from guarded import Client, client
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from plantid_core.settings import load_settings
from plantid_core.web.guards.body import BodyLimit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

LIMIT = 200_000
PHOTOS = "/api/v1/identify"
guard = Middleware(BodyLimit, settings=load_settings(body_limit_bytes=LIMIT))


def test_a_body_within_its_limit_arrives_whole() -> None:
    """The last allowed byte is allowed."""
    assert client(guard).post(PHOTOS, content=bytes(LIMIT)).json()["bytes"] == LIMIT


@pytest.mark.parametrize("path", [PHOTOS, "/_stcore/upload_file/a/b", "/api/v1/breakers/redis"])
def test_a_longer_one_is_refused_by_its_announced_length(path: str) -> None:
    """The refusal tells the limit, and ends the connection so that the rest need not be read."""
    refused = client(guard).post(path, content=bytes(LIMIT + 1))

    assert refused.status_code == 413
    assert refused.json()["limit"] == (65_536 if "breakers" in path else LIMIT)
    assert refused.headers["connection"] == "close"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_needs_no_body_has_little_room_for_one(method: str) -> None:
    """Also where photos may be sent by another method."""
    refused = client(guard).ask(method, PHOTOS, content=bytes(65_537))
    assert refused.status_code == 413


@pytest.mark.parametrize("length", ["-1", "+5", "1_000", "abc", "", "٣", "9" * 20, "5, 5"])
def test_no_length_but_a_number_is_read(length: str) -> None:
    """Two that read a length differently would see different requests."""
    refused = client(guard).post(PHOTOS, {"Content-Length": length}, b"12345")

    assert refused.status_code == 400
    assert "Content-Length" in refused.json()["detail"]


def test_a_length_beside_chunks_is_refused() -> None:
    """RFC 9112, section 6.3: it ought to be handled as an error, since it is how requests are smuggled."""
    both = {"Transfer-Encoding": "chunked", "Content-Length": "5"}
    assert client(guard).post(PHOTOS, content=b"12345", headers=both).status_code == 400


@given(st.lists(st.integers(0, 90_000), max_size=8))
def test_chunks_are_counted(sizes: list[int]) -> None:
    """However a body is cut, it arrives whole, or is refused as soon as it is too much."""
    read = 0

    def chunks() -> Iterator[bytes]:
        nonlocal read
        for size in sizes:
            read += size
            yield bytes(size)

    answer = client(guard).post(PHOTOS, content=chunks())

    if sum(sizes) <= LIMIT:
        assert answer.json()["bytes"] == sum(sizes)
    else:
        assert answer.status_code == 413
        assert read <= LIMIT + 90_000


def test_a_route_that_hides_the_refusal_is_answered_for() -> None:
    """Whatever a route makes of a body that broke off, the answer is that it was too large."""

    async def hides(request: Request) -> Response:
        try:
            await request.body()
        except Exception:  # noqa: BLE001 - as a careless route does
            return Response("fine")
        return Response("read")

    app = Starlette(routes=[Route(PHOTOS, hides, methods=["POST"])], middleware=[guard])
    answer = Client(app).post(PHOTOS, content=iter([bytes(LIMIT), b"1"]))

    assert answer.status_code == 413
