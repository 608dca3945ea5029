"""Files of a page are for the browser it was made for, and uploads come from it alone."""

from __future__ import annotations

import time
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest
from asgi_calls import Client
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage

from plantid_core.access.signing import KeyRing, key_ring
from plantid_core.settings import Settings, load_settings
from plantid_core.web.guards.media import Media
from plantid_core.web.guards.visitor import visitor_in

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

DAY_S = 86400


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def client(settings: Settings) -> Client:
    """Give a client of an app that would give everything to everybody."""

    async def document(_: Request) -> HTMLResponse:
        return HTMLResponse("<html>")

    async def signing(_: Request) -> PlainTextResponse:
        answer = PlainTextResponse("")
        answer.set_cookie("_streamlit_user", "somebody")
        return answer

    async def anything(_: Request) -> PlainTextResponse:
        return PlainTextResponse("a picture")

    methods = ["GET", "PUT", "DELETE", "OPTIONS"]
    routes = [
        Route("/", document),
        Route("/oauth2callback", signing),
        Route("/{rest:path}", anything, methods=methods),
    ]
    return Client(Starlette(routes=routes, middleware=[Middleware(Media, settings=settings)]))


def _mark(told: str) -> dict[str, str]:
    return {name: one.value for name, one in SimpleCookie(told).items()}


def _cookie(ring: KeyRing, age_s: float) -> dict[str, str]:
    mark = ring.sign("plantid-visitor", ["this browser", int(time.time() - age_s)])
    return {"Cookie": f"plantid_visitor={mark}"}


def test_a_browser_is_marked_with_its_first_page(client: Client, settings: Settings) -> None:
    """Each with a mark of its own, that no script can read."""
    first, second = (client.get("/").headers["set-cookie"] for _ in range(2))

    marks = [visitor_in(key_ring(settings), _mark(told)) for told in (first, second)]
    assert None not in marks
    assert marks[0] != marks[1]
    assert "HttpOnly" in first


def test_a_mark_is_kept_and_renewed_in_time(client: Client, settings: Settings) -> None:
    """A browser that comes daily never loses what it is known by."""
    ring = key_ring(settings)

    fresh = client.get("/", _cookie(ring, age_s=60))
    older = client.get("/", _cookie(ring, age_s=2 * DAY_S))

    assert "set-cookie" not in fresh.headers
    assert visitor_in(ring, _mark(older.headers["set-cookie"])) == "this browser"


def test_the_answer_before_a_connection_marks_as_well(client: Client) -> None:
    """A page may have been open for longer than its mark lasts; a picture's answer marks nobody."""
    assert "set-cookie" in client.get("/_stcore/health").headers
    assert "set-cookie" not in client.get("/favicon.png").headers


def test_whoever_signs_in_or_out_is_marked_anew(client: Client, settings: Settings) -> None:
    """What was made for the page before, or was put into the browser, is of no use to who comes then."""
    ring = key_ring(settings)

    told = client.get("/oauth2callback", _cookie(ring, age_s=60)).headers.get_list("set-cookie")

    marks = [visitor_in(ring, _mark(one)) for one in told if one.startswith("plantid_visitor")]
    assert len(marks) == 1
    assert marks[0] not in {None, "this browser"}


@given(st.text(st.characters(codec="ascii", exclude_characters=";\0"), max_size=80))
def test_what_is_no_mark_of_ours_is_none(text: str) -> None:
    """Whatever stands there."""
    assert visitor_in(KeyRing("some key"), {"plantid_visitor": text}) is None


@pytest.mark.parametrize("path", ["/media/abc.png", "/_stcore/upload_file/session/file"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_what_belongs_to_no_page_of_theirs_is_not_there(
    client: Client, settings: Settings, path: str, method: str
) -> None:
    """With a mark or without: the same answer as for a file that never was."""
    ring = key_ring(settings)

    answers = [client.ask(method, path, headers) for headers in (None, _cookie(ring, age_s=60))]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_what_is_asked_before_a_request_is_answered(client: Client) -> None:
    """A browser sends no cookies with it."""
    assert client.ask("OPTIONS", "/_stcore/upload_file/session/file").status_code == 200


def test_streamlit_still_keeps_whose_files_are_shown_where_we_look() -> None:
    """The guard reads it by its private name, for want of another: by session, then by place."""
    manager = MediaFileManager(MemoryMediaFileStorage("/media"))

    manager._files_by_session_and_coord["session"]["0.1"] = "file id"  # noqa: SLF001 - pinned

    assert list(manager._files_by_session_and_coord["session"].values()) == ["file id"]  # noqa: SLF001
    address = manager.add(b"a picture", "image/png", "0.2")
    kept = manager._files_by_session_and_coord.values()  # noqa: SLF001
    assert address.removeprefix("/media/").removesuffix(".png") in {
        file_id for files in kept for file_id in files.values()
    }
