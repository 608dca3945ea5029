"""What the services' statuses and headers say, besides their JSON."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from loopback import say, serving, told

from plantid_core.deadline import Deadline
from plantid_core.errors import ProviderError, ProviderQuotaExceeded, ProviderUnavailable
from plantid_core.plants import Observation, Picture
from plantid_core.providers.http import Channel, Timeouts
from plantid_core.providers.plant_id import PlantId
from plantid_core.providers.plantnet import PlantNet

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

OBSERVATION = Observation((Picture(b"jpeg", "0" * 64),))
NO_SPECIES = b'{"statusCode": 404, "error": "Not Found", "message": "Species not found"}'


def failure(
    provider: type[PlantId | PlantNet], answer: Callable[[socket.socket], None]
) -> ProviderError:
    """Return the error that this answer becomes."""
    with (
        serving(answer) as service,
        closing(provider(service.url, "key")) as client,
        pytest.raises(ProviderError) as caught,
    ):
        client.identify(OBSERVATION, Deadline.after(5))
    return caught.value


@pytest.mark.parametrize("provider", [PlantId, PlantNet])
def test_a_request_that_took_the_service_too_long_is_its_failure(
    provider: type[PlantId | PlantNet],
) -> None:
    """408 says nothing against the photo: the same request may do well later."""
    error = failure(provider, told(b"late", status="408 X", kind="text/plain"))

    assert isinstance(error, ProviderUnavailable)
    assert error.code == "http_408"


@pytest.mark.parametrize("provider", [PlantId, PlantNet])
@pytest.mark.parametrize(
    ("status", "kind"), [("429 X", ProviderQuotaExceeded), ("503 X", ProviderUnavailable)]
)
def test_a_service_may_ask_to_be_asked_again_at_once(
    provider: type[PlantId | PlantNet], status: str, kind: type[ProviderError]
) -> None:
    """Nought seconds are a time that was told, not one that was not."""
    error = failure(provider, told(b"", "Retry-After: 0", status=status))

    assert isinstance(error, kind)
    assert error.retry_after_s == 0.0


@pytest.mark.parametrize(
    ("header", "remaining"),
    [
        ('"dailyQuota";r=321;t=4000;pk=:c2Fu:', 321),
        ('"burst";r=3;t=1, "dailyQuota";t=4000; r=0', 0),
        ('"burst";r=3;t=1', None),
        ('"dailyQuota", "burst";r=3', None),
        ('"dailyQuota";r=-1;t=5', None),
        ('"dailyQuota";r=1.5', None),
        ('"dailyQuota";r=many', None),
        ('"dailyQuota";r=' + "9" * 5000, None),
        ("", None),
    ],
)
@pytest.mark.parametrize(
    ("body", "status"), [(NO_SPECIES, "404 Not Found"), (b'{"results": []}', "200 OK")]
)
def test_what_is_left_of_the_day_is_read_from_the_header(
    body: bytes, status: str, header: str, remaining: int | None
) -> None:
    """Also where no species was found, which costs as much as a name; nonsense says nothing."""
    answer = told(body, f"RateLimit: {header}", status=status)
    with serving(answer) as service, closing(PlantNet(service.url, "key")) as client:
        reply = client.identify(OBSERVATION, Deadline.after(5))

    assert (reply.status, reply.remaining) == ("no_match", remaining)


def test_what_the_body_says_is_left_comes_first() -> None:
    """The answer's own count was made after this very request."""
    body = b'{"results": [], "remainingIdentificationRequests": 7}'
    answer = told(body, 'RateLimit: "dailyQuota";r=9;t=5')
    with serving(answer) as service, closing(PlantNet(service.url, "key")) as client:
        assert client.identify(OBSERVATION, Deadline.after(5)).remaining == 7


def test_a_hint_before_the_answer_is_no_answer_and_leaves_none_behind() -> None:
    """What follows it is not taken for the answer to the next request."""
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    json = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"

    def answer(connection: socket.socket) -> None:
        connection.sendall(hint + json + b'{"of": "one"}')
        while connection.recv(65536):
            pass

    with serving(answer) as service:
        channel = Channel("plantnet", service.url, secret="", timeouts=Timeouts(2, 2), direct=True)
        with closing(channel):
            for _ in range(2):
                with pytest.raises(ProviderUnavailable) as caught:
                    channel.send("GET", "/", Deadline.after(3))
                assert caught.value.code == "malformed"

    assert len(service.requests) == 2


def test_nothing_is_read_of_an_answer_that_redirects() -> None:
    """Its body may be of any length, and take any time."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 307 X\r\nLocation: /y\r\nContent-Length: 100\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"x")
            time.sleep(0.1)

    began = time.monotonic()
    error = failure(PlantId, answer)

    assert error.code == "redirect"
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("length", ["²".encode(), b"9" * 5000])
def test_a_length_that_is_none_blames_the_service(length: bytes) -> None:
    """A header that cannot be read ends no request in an error of Python's."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"

    def answer(connection: socket.socket) -> None:
        say(connection, head + b"Content-Length: " + length + b'\r\n\r\n{"results": []}')

    with serving(answer) as service, closing(PlantNet(service.url, "key")) as client:
        try:
            assert client.identify(OBSERVATION, Deadline.after(5)).status == "no_match"
        except ProviderUnavailable as error:
            assert error.code == "truncated"
