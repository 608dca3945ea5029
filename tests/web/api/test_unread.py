"""What is refused before its body was read ends the connection, and is answered before the body comes."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from rest import Rest

IDENTIFY = "/api/v1/identify"
FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def announced(
    rest: Rest, method: str, path: str, headers: dict[str, str]
) -> http.client.HTTPResponse:
    """Return the answer to a request of whose body not a byte was sent."""
    line = http.client.HTTPConnection(urlsplit(rest.url).netloc, timeout=10)
    try:
        line.putrequest(method, path)
        for name, value in {**rest.headers, **headers}.items():
            line.putheader(name, value)
        line.endheaders()
        answer = line.getresponse()
        answer.read()
    finally:
        line.close()
    return answer


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", IDENTIFY, {"Authorization": "Bearer nobody's"}, 401),
        ("POST", IDENTIFY, {"Authorization": ""}, 401),
        ("POST", "/api/v1/breakers/plantnet", {}, 403),
        ("POST", "/api/v1/nothing", {}, 404),
        ("PUT", IDENTIFY, {}, 405),
        ("POST", IDENTIFY, {"Accept": "text/html"}, 406),
        ("POST", IDENTIFY, {"Content-Type": "image/jpeg"}, 415),
        ("POST", IDENTIFY, {**FORM, "Idempotency-Key": "ключ"}, 400),
        ("POST", f"{IDENTIFY}?lat=1", FORM, 400),
    ],
)
def test_the_answer_waits_for_no_body_and_ends(
    production: Rest, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """Else the server would read on, and drop, all that comes."""
    rest = production.person("sender", ["identify"])
    sent = {name: value.encode().decode("latin-1") for name, value in headers.items()}

    answer = announced(rest, method, path, {**sent, "Transfer-Encoding": "chunked"})

    assert (answer.status, answer.headers["connection"]) == (status, "close")


def test_a_long_body_ends_it_as_one_of_unknown_length(production: Rest) -> None:
    """So does one whose length is announced."""
    answer = announced(production, "PUT", IDENTIFY, {"Content-Length": "2000000"})

    assert (answer.status, answer.headers["connection"]) == (405, "close")


def test_what_was_read_keeps_the_connection(production: Rest, flower: bytes) -> None:
    """Answered, or refused for what it holds: the next request goes the same way."""
    rest = production.person("sender", ["identify"])

    answered = rest.identify(flower)
    refused = rest.identify(flower + b"x" * 200_000, "flower.png")

    assert (answered.status_code, refused.status_code) == (200, 422)
    assert "close" not in {one.headers.get("connection") for one in (answered, refused)}


def test_a_short_body_is_read_and_the_connection_kept(production: Rest) -> None:
    """A connection costs more than some kilobytes."""
    refused = production.anonymous().post(IDENTIFY, data=b"x" * 99_999)

    assert refused.status_code == 401
    assert refused.headers.get("connection") != "close"
