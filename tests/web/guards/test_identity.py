"""Who asks: a token, a browser that signed in, or nobody in particular."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import signing_in
from asgi_calls import Client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from plantid_core.access.principal import owner_of
from plantid_core.web.caller import principal_of
from plantid_core.web.guards.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import HTTPConnection, Request
    from starlette.websockets import WebSocket

    from plantid_core.access.registry import Registry
    from plantid_core.settings import Settings

ADA = owner_of(signing_in.ISSUER, "ada")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return signing_in.signing_in(tmp_path, admins="root")


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    with signing_in.registered(settings) as opened:
        yield opened


@pytest.fixture
def client(settings: Settings, registry: Registry) -> Client:
    """Give a client of an app that says who it takes the caller for."""

    def seen(connection: HTTPConnection) -> dict[str, object]:
        who = principal_of(connection.scope)
        return {
            "kind": who.kind,
            "role": who.role,
            "owner": who.owner,
            "scopes": None if who.scopes is None else sorted(who.scopes),
            "cookies": sorted(connection.cookies),
        }

    async def page(request: Request) -> JSONResponse:
        return JSONResponse(seen(request))

    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json(seen(websocket))
        await websocket.close()

    routes = [Route("/{rest:path}", page), WebSocketRoute("/stream", stream)]
    guards = [Middleware(Identity, settings=settings, registry=lambda: registry)]
    return Client(Starlette(routes=routes, middleware=guards))


def test_a_browser_that_shows_nothing_is_nobody(client: Client) -> None:
    """Where people sign in, whoever has not is anonymous."""
    assert client.get("/").json()["kind"] == "anonymous"


def test_a_browser_that_signed_in_is_a_person(client: Client, settings: Settings) -> None:
    """The owner is made of issuer and subject."""
    jar = signing_in.cookies(settings, sub="ada")

    who = client.get("/", headers=signing_in.header(jar)).json()

    assert (who["kind"], who["role"], who["owner"]) == ("person", "user", ADA)


def test_a_sign_in_in_chunks_is_read(client: Client, settings: Settings) -> None:
    """An issuer that tells much fills several cookies."""
    jar = signing_in.cookies(settings, sub="ada", groups=signing_in.MANY_GROUPS)
    assert len(jar) > 2

    assert client.get("/", headers=signing_in.header(jar)).json()["owner"] == ADA


@pytest.mark.parametrize(
    "claims",
    [
        {"origin": "http://elsewhere.example"},
        {"iss": "http://other.example"},
        {"is_logged_in": False},
        {"is_logged_in": "yes"},
        {"sub": 7},
        {"sub": ""},
    ],
    ids=lambda claims: "-".join(str(part) for pair in claims.items() for part in pair),
)
def test_claims_that_are_not_ours_are_nobodys(
    client: Client, settings: Settings, claims: dict[str, object]
) -> None:
    """Well signed is not enough: for this app, by its issuer of today, of somebody."""
    jar = signing_in.cookies(settings, **{"sub": "ada", **claims})

    assert client.get("/", headers=signing_in.header(jar)).json()["kind"] == "anonymous"


def test_a_forged_cookie_is_nobodys(client: Client, settings: Settings) -> None:
    """One letter of the signature, and it is nothing."""
    (name, value), *_ = signing_in.cookies(settings, sub="ada").items()
    forged = value[:-2] + ("AA" if not value.endswith("AA") else "BB")

    assert client.get("/", headers={"Cookie": f"{name}={forged}"}).json()["kind"] == "anonymous"


def test_a_sign_in_ends(client: Client, settings: Settings) -> None:
    """After 31 days the cookie is worth nothing, whatever the browser does with it."""
    jar = signing_in.cookies(settings, sub="ada", age_s=32 * 86400)

    assert client.get("/", headers=signing_in.header(jar)).json()["kind"] == "anonymous"


def test_an_admin_is_one_by_claim_or_by_name(client: Client, settings: Settings) -> None:
    """The role comes with the issuer's claim, or from the settings' list."""
    by_claim = signing_in.cookies(settings, sub="ada", roles=["admin"])
    by_name = signing_in.cookies(settings, sub="root")

    roles = [
        client.get("/", headers=signing_in.header(jar)).json()["role"]
        for jar in (by_claim, by_name)
    ]

    assert roles == ["admin", "admin"]


def test_a_token_acts_for_its_owner(client: Client, registry: Registry) -> None:
    """With its scopes, and before any cookie."""
    registry.people.register(signing_in.ISSUER, "ada")
    _, word = registry.tokens.create(ADA, ["identify"], 1)

    who = client.get("/", headers={"Authorization": f"bearer {word}"}).json()

    assert (who["kind"], who["owner"], who["scopes"]) == ("token", ADA, ["identify"])


def test_a_revoked_token_is_refused_at_once(client: Client, registry: Registry) -> None:
    """With 401 and the words of RFC 6750, though it was believed a moment ago."""
    registry.people.register(signing_in.ISSUER, "ada")
    token, word = registry.tokens.create(ADA, ["identify"], 1)
    shown = {"Authorization": f"Bearer {word}"}
    assert client.get("/", headers=shown).status_code == 200

    registry.tokens.revoke(token.id)
    answer = client.get("/", headers=shown)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert word not in answer.text


@pytest.mark.parametrize("shown", ["Basic YTpi", "Bearer", "Bearer nonsense", "", "Digest x"])
def test_what_is_no_token_is_refused(client: Client, shown: str) -> None:
    """Also beside a good cookie: what was shown is what counts."""
    answer = client.get("/", headers={"Authorization": shown})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"


def test_passwords_are_declined_with_a_sentence(client: Client) -> None:
    """Whoever sends one learns what to send instead."""
    told = client.get("/", headers={"Authorization": "Basic YTpi"}).json()["detail"]

    assert "Passwords are not taken" in told


def test_a_token_for_the_figures_is_not_taken_for_a_persons(client: Client) -> None:
    """Who may read the figures is decided where they are."""
    answer = client.get("/_stcore/metrics", headers={"Authorization": "Bearer figures"})

    assert answer.json()["kind"] == "anonymous"


def test_somebody_deactivated_is_nobody_at_once(
    client: Client, settings: Settings, registry: Registry
) -> None:
    """The app behind sees no sign-in, and the browser's cookies end, every chunk of them."""
    jar = signing_in.cookies(settings, sub="ada", groups=signing_in.MANY_GROUPS)
    assert client.get("/", headers=signing_in.header(jar)).json()["owner"] == ADA

    registry.people.deactivate(ADA)
    answer = client.get("/", headers=signing_in.header({**jar, "theme": "dark"}))

    assert answer.json()["kind"] == "anonymous"
    assert answer.json()["cookies"] == ["plantid_departed", "theme"]
    ended = [text for text in answer.headers.get_list("set-cookie") if "Max-Age=0" in text]
    assert sorted(text.partition("=")[0] for text in ended) == sorted(jar)


def test_a_copy_of_a_sign_in_that_was_ended_is_good_no_more(
    client: Client, settings: Settings
) -> None:
    """Also where it was taken before; another sign-in of the same person goes on."""
    first = signing_in.header(signing_in.cookies(settings, sub="ada", iat=1_790_000_000))
    second = signing_in.header(signing_in.cookies(settings, sub="ada", iat=1_790_000_060))
    assert client.get("/", headers=first).json()["owner"] == ADA

    leaving = client.get("/auth/logout", headers=first).json()

    assert leaving["owner"] == ADA  # Streamlit takes leave of the issuer with what they say
    assert leaving["cookies"]
    copied = client.get("/", headers=first)
    assert (copied.json()["kind"], copied.json()["cookies"]) == ("anonymous", ["plantid_departed"])
    assert client.connect("/stream", headers=first).json()["kind"] == "anonymous"
    assert client.get("/", headers=second).json()["owner"] == ADA


def test_a_websocket_of_somebody_deactivated_is_nobodys(
    client: Client, settings: Settings, registry: Registry
) -> None:
    """Streamlit takes who somebody is from the handshake: it must not find it there."""
    registry.people.register(signing_in.ISSUER, "ada")
    registry.people.deactivate(ADA)

    jar = signing_in.cookies(settings, sub="ada")
    who = client.connect("/stream", headers=signing_in.header(jar)).json()

    assert who["kind"] == "anonymous"
    assert who["cookies"] == ["plantid_departed"]


def test_a_websocket_with_a_bad_token_is_turned_away(client: Client) -> None:
    """Before it is accepted."""
    talk = client.connect("/stream", headers={"Authorization": "Bearer nonsense"})

    assert [one["type"] for one in talk.said] == ["websocket.close"]
