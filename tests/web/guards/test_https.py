"""Plain HTTP, where HTTPS is wanted."""

from __future__ import annotations

import pytest
from guarded import client, refused
from starlette.middleware import Middleware

from plantid_core.settings import load_settings
from plantid_core.web.guards.https import Https


def https(**settings: object) -> Middleware:
    chosen = load_settings(**{"https_redirect": True, **settings})
    return Middleware(Https, settings=chosen)


def test_who_reads_is_sent_on() -> None:
    """The path and the query stay as they were written, and the port does not."""
    answer = client(https()).get("/a%20b/%2Fc?d=%C3%A9", headers={"Host": "plants.example:80"})

    assert answer.status_code == 308
    assert answer.headers["location"] == "https://plants.example/a%20b/%2Fc?d=%C3%A9"


@pytest.mark.parametrize(
    ("host", "place"),
    [("plants.example", "plants.example:8443"), ("b.example", "b.example"), ("[::1]:1", "[::1]")],
)
def test_a_known_port_is_kept(host: str, place: str) -> None:
    """The port of PLANTID_PUBLIC_URL holds for its own name alone."""
    guard = https(public_url="https://plants.example:8443")
    answer = client(guard).get("/", headers={"Host": host})

    assert answer.headers["location"] == f"https://{place}/"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "/@evil.example"])
def test_nobody_is_sent_elsewhere(path: str) -> None:
    """A path that looks like an address remains a path."""
    answer = client(https()).get(f"http://localhost{path}")

    assert answer.headers["location"].startswith("https://localhost/")


def test_a_secret_in_the_clear_is_refused_not_sent_on() -> None:
    """Else a program would send its token in the clear for ever, and never know."""
    plain = client(https())

    assert plain.post("/api/v1/identify").status_code == 403
    answer = plain.get("/api/v1/breakers", headers={"Authorization": "Bearer x"})
    assert answer.status_code == 403
    assert "https://" in answer.json()["detail"]


def test_a_websocket_in_the_clear_is_refused() -> None:
    """It would carry the cookies of the sign-in."""
    assert refused(client(https()).websocket()) == 403


def test_https_and_probes_pass() -> None:
    """What came by HTTPS is at its goal; a probe is asked inside the network."""
    assert client(https(), url="https://localhost").post("/x").status_code == 200
    assert client(https()).get("/healthz").status_code == 200
    assert client(https(https_redirect=False)).post("/x").status_code == 200
