"""Key rotation: what a former key signed goes on to be believed, and is signed anew."""

from __future__ import annotations

import time
from contextlib import contextmanager
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import pytest
import signing_in
from asgi_calls import Client
from itsdangerous import TimestampSigner
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from streamlit import config
from streamlit.auth_util import decode_provider_token, encode_provider_token
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

from plantid_core.access.signing import key_ring
from plantid_core.settings import Settings, load_settings
from plantid_core.web.guards.cookies import Cookies
from plantid_core.web.guards.visitor import visitor_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import HTTPConnection, Request
    from starlette.websockets import WebSocket

DAY_S = 86400
SIGN_IN = "_streamlit_user"
OLD, NEW, NEWEST = ("old-" * 20, "new-" * 20, "newest-" * 20)


@pytest.fixture
def before(tmp_path: Path) -> Settings:
    """Give the settings of an app before its key is changed."""
    return load_settings(data_dir=tmp_path, secret_key=OLD)


@pytest.fixture
def after(tmp_path: Path) -> Settings:
    """Give the settings of the same app, two changes later."""
    return load_settings(data_dir=tmp_path, secret_key=NEWEST, secret_key_fallbacks=f"{NEW},{OLD}")


def _client(settings: Settings) -> Client:
    """Return a client of an app that reads its cookies by the current key, as Streamlit does."""
    key = signing_in.key_of(settings)

    def read(connection: HTTPConnection) -> dict[str, object]:
        said = {
            name: (decode_signed_value(key, name, value) or b"").decode()
            for name, value in connection.cookies.items()
            if name.startswith(SIGN_IN)
        }
        visitor = visitor_in(key_ring(settings), connection.cookies)
        session = dict(connection.session)
        query = dict(connection.query_params)
        return {"said": said, "session": session, "visitor": visitor, "query": query}

    async def page(request: Request) -> JSONResponse:
        if request.query_params.get("keep"):
            request.session["kept"] = request.query_params["keep"]
        return JSONResponse(read(request))

    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(read(websocket))
        await websocket.close()

    async def logout(_: Request) -> JSONResponse:
        response = JSONResponse({})
        response.delete_cookie(SIGN_IN)
        return response

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/auth/login", page),
            Route("/auth/logout", logout),
            WebSocketRoute("/stream", stream),
        ],
        middleware=[
            Middleware(Cookies, settings=settings),
            Middleware(SessionMiddleware, secret_key=key, session_cookie="_streamlit_session"),
        ],
    )
    return Client(app)


def _set(answer_headers: list[str]) -> dict[str, str]:
    return {
        name: morsel.value for text in answer_headers for name, morsel in SimpleCookie(text).items()
    }


def _made_at(key: str, name: str, value: str) -> float:
    _, at = TimestampSigner(key, salt=name).unsign(value, return_timestamp=True)
    return at.timestamp()


def test_a_former_keys_cookie_is_believed_and_comes_back_signed_anew(
    before: Settings, after: Settings
) -> None:
    """Behind the guard it is valid, and the browser gets it as the current key signs it."""
    old = signing_in.signed(signing_in.key_of(before), SIGN_IN, "ada")

    answer = _client(after).get("/", headers=signing_in.header({SIGN_IN: old, "other": "kept"}))

    assert answer.json()["said"] == {SIGN_IN: "ada"}
    again = _set(answer.headers.get_list("set-cookie"))[SIGN_IN]
    assert decode_signed_value(signing_in.key_of(after), SIGN_IN, again) == b"ada"


def test_it_keeps_its_age(before: Settings, after: Settings) -> None:
    """A sign-in of 29 days ago ends a day after the rotation, in the browser and by its signature."""
    old = signing_in.signed(signing_in.key_of(before), SIGN_IN, "ada", age_s=29 * DAY_S)

    answer = _client(after).get("/", headers=signing_in.header({SIGN_IN: old}))

    (told,) = answer.headers.get_list("set-cookie")
    morsel = SimpleCookie(told)[SIGN_IN]
    made = _made_at(signing_in.key_of(after), SIGN_IN, morsel.value)
    assert made == _made_at(signing_in.key_of(before), SIGN_IN, old)
    assert DAY_S - 60 <= int(morsel["max-age"]) <= DAY_S


def test_one_that_has_ended_stays_ended(before: Settings, after: Settings) -> None:
    """A cookie older than a sign-in lasts is neither believed nor sent back."""
    old = signing_in.signed(signing_in.key_of(before), SIGN_IN, "ada", age_s=32 * DAY_S)

    answer = _client(after).get("/", headers=signing_in.header({SIGN_IN: old}))

    assert answer.json()["said"] == {SIGN_IN: ""}
    assert "set-cookie" not in answer.headers


def test_a_foreign_keys_cookie_is_not(after: Settings) -> None:
    """What no key of ours signed passes as it is, and is worth nothing."""
    foreign = signing_in.signed("somebody else's", SIGN_IN, "ada")

    answer = _client(after).get("/", headers=signing_in.header({SIGN_IN: foreign}))

    assert answer.json()["said"] == {SIGN_IN: ""}
    assert "set-cookie" not in answer.headers


def test_the_current_keys_cookie_is_left_alone(after: Settings) -> None:
    """Nothing is sent back where nothing has to change."""
    current = signing_in.signed(signing_in.key_of(after), SIGN_IN, "ada")

    answer = _client(after).get("/", headers=signing_in.header({SIGN_IN: current}))

    assert answer.json()["said"] == {SIGN_IN: "ada"}
    assert "set-cookie" not in answer.headers


def test_chunks_and_tokens_are_signed_anew_as_well(before: Settings, after: Settings) -> None:
    """A sign-in too large for one cookie comes in several, each of them signed."""
    names = [SIGN_IN, f"{SIGN_IN}_1", f"{SIGN_IN}_2", f"{SIGN_IN}_tokens", f"{SIGN_IN}_tokens_1"]
    jar = {name: signing_in.signed(signing_in.key_of(before), name, name) for name in names}

    answer = _client(after).get("/", headers=signing_in.header(jar))

    assert answer.json()["said"] == {name: name for name in names}
    assert set(_set(answer.headers.get_list("set-cookie"))) == set(names)


def test_a_websocket_too(before: Settings, after: Settings) -> None:
    """An open page connects anew after the restart: its handshake is read, and answered with it."""
    old = signing_in.signed(signing_in.key_of(before), SIGN_IN, "ada")

    talk = _client(after).connect("/stream", headers=signing_in.header({SIGN_IN: old}))

    assert talk.json()["said"] == {SIGN_IN: "ada"}
    assert list(_set(talk.cookies())) == [SIGN_IN]


def test_the_session_on_the_way_to_the_issuer_survives(before: Settings, after: Settings) -> None:
    """Who is at the issuer while the key changes comes back to the state that was kept for them."""
    kept = _set(_client(before).get("/?keep=state").headers.get_list("set-cookie"))

    answer = _client(after).get("/", headers=signing_in.header(kept))

    assert answer.json()["session"] == {"kept": "state"}


def test_the_browsers_mark_stays_the_same(before: Settings, after: Settings) -> None:
    """What was made for a browser stays its own."""
    ring = key_ring(before)
    mark = ring.sign("plantid-visitor", ["this browser", int(time.time())])

    answer = _client(after).get("/", headers=signing_in.header({"plantid_visitor": mark}))

    assert answer.json()["visitor"] == "this browser"


def test_signing_out_is_not_undone(before: Settings, after: Settings) -> None:
    """An answer that ends the cookie ends it."""
    old = signing_in.signed(signing_in.key_of(before), SIGN_IN, "ada")

    answer = _client(after).get("/auth/logout", headers=signing_in.header({SIGN_IN: old}))

    assert _set(answer.headers.get_list("set-cookie")) == {SIGN_IN: ""}


@contextmanager
def _streamlit_key(key: str) -> Iterator[None]:
    former = config.get_option("server.cookieSecret")
    config.set_option("server.cookieSecret", key)
    try:
        yield
    finally:
        config.set_option("server.cookieSecret", former)


def test_the_way_to_the_sign_in_is_open_across_a_rotation(
    before: Settings, after: Settings
) -> None:
    """A page of the former key sends its visitor to a process with the new one."""
    with _streamlit_key(signing_in.key_of(before)):
        word = encode_provider_token("default")

    answer = _client(after).get("/auth/login", provider=word)

    with _streamlit_key(signing_in.key_of(after)):
        assert decode_provider_token(answer.json()["query"]["provider"])["provider"] == "default"
