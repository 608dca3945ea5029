"""Whose page sent a request."""

from __future__ import annotations

import pytest
from guarded import client, refused, said
from starlette.middleware import Middleware

from plantid_core.settings import load_settings
from plantid_core.web.guards.origin import Origin

COOKIE = {"Cookie": "_streamlit_user=a"}
OURS, THEIRS = "http://localhost", "https://evil.example"
guard = Middleware(Origin, settings=load_settings(public_url="https://plants.example"))


@pytest.mark.parametrize(
    "sent",
    [
        {**COOKIE, "Origin": OURS},
        {**COOKIE, "Origin": "https://plants.example"},
        {**COOKIE, "Sec-Fetch-Site": "same-origin"},
        {**COOKIE, "Referer": f"{OURS}/history?find=a"},
        {"Authorization": "Bearer t", "Origin": THEIRS},
        {},
    ],
)
def test_what_our_page_or_a_program_sends_passes(sent: dict[str, str]) -> None:
    """With a cookie it shows that it is ours; with a token or nothing it needs not."""
    assert client(guard).post("/api/v1/identify", headers=sent).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        COOKIE,
        {**COOKIE, "Origin": THEIRS},
        {**COOKIE, "Origin": "null"},
        {**COOKIE, "Origin": "https://localhost"},
        {**COOKIE, "Origin": f"{OURS}.evil.example"},
        {**COOKIE, "Origin": THEIRS, "Sec-Fetch-Site": "same-origin"},
        {**COOKIE, "Sec-Fetch-Site": "same-site"},
        {**COOKIE, "Referer": f"{THEIRS}/{OURS}"},
        {**COOKIE, "Authorization": "Basic YTpi", "Origin": THEIRS},
        {"Origin": THEIRS},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_another_sites_page_sends_is_refused(method: str, sent: dict[str, str]) -> None:
    """Also without a cookie: where nobody signs in, such a request is the local person's."""
    answer = client(guard).ask(method, "/api/v1/breakers/redis", sent)

    assert answer.status_code == 403
    assert answer.json()["code"] == "foreign_origin"


def test_reading_needs_no_origin() -> None:
    """A link from elsewhere is followed."""
    answer = client(guard).get("/history", headers={**COOKIE, "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200


def test_a_foreign_page_opens_no_websocket() -> None:
    """A browser sends cookies along with it, and no policy of the other page forbids it."""
    assert refused(client(guard).websocket(headers={"Origin": THEIRS})) == 403
    assert said(client(guard).websocket(headers={"Origin": OURS}))


def test_nobody_is_signed_out_by_another_site() -> None:
    """The one address that changes something by being looked at."""
    asks = client(guard)
    sites = ("same-origin", "none", "same-site", "cross-site")

    answers = [
        asks.get("/auth/logout", headers={**COOKIE, "Sec-Fetch-Site": site}).status_code
        for site in sites
    ]

    assert answers == [200, 200, 403, 403]
    assert asks.get("/auth/logout", headers=COOKIE).status_code == 200
