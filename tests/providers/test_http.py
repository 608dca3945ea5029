"""The way to a service, over real sockets: what may go wrong, and what must not be seen then."""

from __future__ import annotations

import email.utils
import logging
import socket
import ssl
import struct
import time
import traceback
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import trustme
from loopback import serving, told

from plantid_core.deadline import Deadline
from plantid_core.errors import DeadlineExceeded, ProviderError, ProviderUnavailable
from plantid_core.plants import Observation, Picture, Place
from plantid_core.providers.http import Channel, Timeouts
from plantid_core.providers.plant_id import PlantId
from plantid_core.providers.plantnet import PlantNet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "planted-secret"  # noqa: S105 - planted
OBSERVATION = Observation((Picture(b"jpeg", "0" * 64),))


def ask(url: str, *, within_s: float = 10, timeouts: Timeouts | None = None) -> dict[str, object]:
    """Return the parsed answer to one GET with the secret in header and query."""
    channel = Channel(
        "plantnet", url, secret=SECRET, timeouts=timeouts or Timeouts(2, 5), direct=False
    )
    with closing(channel):
        response = channel.send(
            "GET",
            "/v2/x",
            Deadline.after(within_s),
            params={"api-key": SECRET},
            headers={"Api-Key": SECRET},
        )
        if response.status != 200:
            raise channel.outage(response)
        return channel.parse(response)


def failure(url: str, **options: float) -> ProviderUnavailable:
    with pytest.raises(ProviderUnavailable) as caught:
        ask(url, **options)  # type: ignore[arg-type]
    return caught.value


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.1)


def drip_headers(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(100):
        connection.sendall(b"x")
        time.sleep(0.1)


def begin_and_hang(connection: socket.socket) -> None:
    time.sleep(0.6)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")
    time.sleep(5)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_an_answer_is_read() -> None:
    """The ordinary case: JSON of any kind with json in its name."""
    with serving(told(b'{"a": 1}', kind="application/problem+json; charset=utf-8")) as service:
        assert ask(service.url) == {"a": 1}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (told(b"x" * 9_000_000), "too_large"),
        (told(b'{"a"', "Content-Length: 100"), "truncated"),
        (told(b'{"a": 1}', kind="text/html"), "malformed"),
        (told(b'{"a": 1}', kind=""), "malformed"),
        (told(b'{"a": '), "malformed"),
        (told(b"[1]"), "malformed"),
        (reset, "connection"),
        (lambda _: None, "connection"),
    ],
    ids=["large", "short", "html", "no type", "broken", "list", "reset", "closed"],
)
def test_what_cannot_be_used_is_named_and_may_be_counted(
    answer: Callable[[socket.socket], None], code: str
) -> None:
    """The service saw each of these requests, so none may be sent again."""
    with serving(answer) as service:
        error = failure(service.url)

    assert (error.code, error.uncounted) == (code, False)


def test_a_redirect_is_refused_and_the_key_does_not_follow() -> None:
    """The address it points to is never asked."""
    with (
        serving(told(b"{}")) as elsewhere,
        serving(told(b"", f"Location: {elsewhere.url}/", status="307 X")) as service,
    ):
        error = failure(service.url)

    assert error.code == "redirect"
    assert len(service.requests) == 1
    assert elsewhere.requests == []


@pytest.mark.parametrize("answer", [drip, drip_headers, begin_and_hang])
def test_a_slow_answer_is_cut_by_the_deadline(answer: Callable[[socket.socket], None]) -> None:
    """Neither a drip in the body, nor one in the headers, nor a late hang outlasts it."""
    with serving(answer) as service:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            ask(service.url, within_s=1)
        took = time.monotonic() - began

    assert took < 2


def test_a_request_that_is_not_read_is_cut_by_the_deadline() -> None:
    """A service that stops reading a large photo holds nobody."""
    with serving(lambda _: time.sleep(4)) as service:
        channel = Channel(
            "plant_id", service.url, secret="", timeouts=Timeouts(20, 20), direct=True
        )
        began = time.monotonic()
        with closing(channel), pytest.raises(DeadlineExceeded):
            channel.send("POST", "/", Deadline.after(1), data=bytes(50_000_000))
        took = time.monotonic() - began

    assert took < 2


def test_a_silent_service_times_out() -> None:
    """With time left, the service's own bound is what ran out."""
    with serving(lambda _: time.sleep(1.5)) as service:
        assert failure(service.url, timeouts=Timeouts(2, 0.3)).code == "timeout"  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_connection_never_made_is_uncounted(host: str) -> None:
    """Refused, or no such host: the service cannot have counted anything."""
    error = failure(f"http://{host}:{free_port()}")

    assert (error.code, error.uncounted) == ("connect", True)


@pytest.mark.parametrize(
    ("status", "uncounted"), [(500, False), (502, True), (503, False), (504, True)]
)
def test_a_gateways_own_answer_is_uncounted(status: int, uncounted: bool) -> None:  # noqa: FBT001
    """502 and 504 come from before the service, 500 and 503 from itself."""
    with serving(told(b"", status=f"{status} X")) as service:
        error = failure(service.url)

    assert (error.code, error.uncounted) == (f"http_{status}", uncounted)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("17", 17, 17),
        ("9" * 400, 86_400, 31 * 86_400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400, 31 * 86_400),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, least: float, most: float) -> None:
    """Both forms of RFC 9110 are read, and none asks for more than a month."""
    after = retry_after(value)

    assert after is not None
    assert least <= after <= most


def test_retry_after_an_hour_from_now_is_an_hour() -> None:
    """A date counts from now on."""
    after = retry_after(email.utils.formatdate(time.time() + 3600, usegmt=True))

    assert after is not None
    assert 1800 <= after <= 3601


def retry_after(value: str) -> float | None:
    with serving(told(b"", f"Retry-After: {value}", status="503 X")) as service:
        return failure(service.url).retry_after_s


@pytest.mark.parametrize("value", ["", "soon", "-3", "²"])
def test_an_unreadable_retry_after_is_none(value: str) -> None:
    """Nonsense is no time."""
    with serving(
        told(b"", f"Retry-After: {value}".encode().decode("latin-1"), status="503 X")
    ) as s:
        assert failure(s.url).retry_after_s is None


def test_an_untrusted_certificate_is_refused_and_a_trusted_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service must prove itself to the authorities that are trusted here."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    with serving(told(b'{"a": 1}'), context) as service:
        assert failure(service.url).code == "tls"
        assert service.requests == []

        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        assert ask(service.url) == {"a": 1}


def texts(error: BaseException) -> str:
    """Return all that an error and what it is chained to would show anywhere."""
    shown, seen = "".join(traceback.format_exception(error)), error
    while True:
        shown += str(seen) + repr(seen)
        following = seen.__cause__ or seen.__context__
        if following is None:
            return shown
        seen = following


@pytest.mark.parametrize(
    "answer",
    [
        None,
        reset,
        told(b"", "Location: http://127.0.0.1/", status="307 X"),
        told(b'{"a"', "Content-Length: 100"),
        told(b'{"message": "key planted-secret is unknown"}', status="401 X"),
        told(b'{"message": "key planted-secret is out"}', status="429 X"),
        told(b"planted-secret", status="500 X"),
        told(b'{"results": 3, "result": 3}', status="200 X"),
        told(b"nothing"),
    ],
)
@pytest.mark.parametrize("provider", [PlantId, PlantNet])
@pytest.mark.parametrize("place", [None, Place(50.1, 14.4)])
def test_no_error_shows_the_key(
    answer: Callable[[socket.socket], None] | None,
    provider: type[PlantId | PlantNet],
    place: Place | None,
) -> None:
    """Neither the error nor anything it is chained to holds the key, in header or query."""
    with serving(answer or reset) as service:
        url = service.url if answer else f"http://127.0.0.1:{free_port()}"
        observation = Observation(OBSERVATION.pictures, place)
        with closing(provider(url, SECRET)) as client, pytest.raises(ProviderError) as caught:
            client.identify(observation, Deadline.after(5))

    assert SECRET not in texts(caught.value)


def test_no_log_shows_the_key(caplog: pytest.LogCaptureFixture) -> None:
    """Not even the debug log of the libraries below."""
    caplog.set_level(logging.DEBUG)

    with serving(told(b"{}")) as service:
        ask(service.url)

    assert "/v2/x" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("told_count", ['"many"', "-1", "1e3", "true", "null", "[]"])
def test_a_count_that_is_none_is_left_out(told_count: str) -> None:
    """What a service says is left is used only where it is a number of requests."""
    body = f'{{"results": [], "remainingIdentificationRequests": {told_count}}}'.encode()

    with serving(told(body)) as service, closing(PlantNet(service.url, SECRET)) as client:
        reply = client.identify(OBSERVATION, Deadline.after(5))

    assert (reply.status, reply.remaining) == ("no_match", None)
