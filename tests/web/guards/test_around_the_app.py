"""All guards around the app, by a real server."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

FOREIGN = Origin("https://evil.example")
POST = "POST /api/v1/identify HTTP/1.1\r\nHost: localhost\r\n"


def raw(url: str, request: bytes) -> bytes:
    """Send bytes as they are; return the answer's status line."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), timeout=10) as line:
        line.sendall(request)
        return line.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "path",
    ["/", "/history", "/static/nothing.js", "/media/nothing.jpg", "/api/v1/nothing", "/healthz"],
)
def test_every_answer_is_guarded(app_url: str, path: str) -> None:
    """Pages, files, what is not there: all tell a browser the same, and nothing of the server."""
    found = requests.get(f"{app_url}{path}", timeout=10).headers

    assert found["x-content-type-options"] == "nosniff"
    assert found["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in found["content-security-policy"]
    assert "server" not in found


@pytest.mark.parametrize(
    ("name", "origin", "status"), [("127.0.0.1", FOREIGN, 403), ("evil.example", None, 400)]
)
def test_a_foreign_websocket_is_turned_away(
    app_url: str, name: str, origin: Origin | None, status: int
) -> None:
    """Before it is accepted, with a problem; our own page's is accepted."""
    at = urlsplit(app_url)
    where = (at.hostname or "", at.port or 80)
    protocol = [Subprotocol("streamlit")]
    with (
        pytest.raises(InvalidStatus) as turned_away,
        connect(f"ws://{name}/_stcore/stream", origin=origin, proxy=None, address=where),
    ):
        pass

    answer = turned_away.value.response
    assert answer.status_code == status
    assert b'"code"' in answer.body
    address = f"ws://{at.netloc}/_stcore/stream"
    with connect(address, origin=Origin(app_url), subprotocols=protocol, proxy=None) as opened:
        assert opened.subprotocol == "streamlit"


def test_another_sites_form_asks_nothing(app_url: str, flower: bytes) -> None:
    """Also where nobody signs in, and every request is the local person's."""
    refused = requests.post(
        f"{app_url}/api/v1/identify",
        files={"images": flower},
        headers={"Origin": FOREIGN},
        timeout=10,
    )

    assert refused.status_code == 403
    assert refused.json()["code"] == "foreign_origin"


@pytest.mark.parametrize(
    "request_text",
    [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        f"{POST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        f"{POST}Content-Length: -1\r\n\r\n",
    ],
    ids=["no host", "two hosts", "no host in 1.0", "two lengths", "a length below 0"],
)
def test_a_request_that_can_be_read_two_ways_is_refused(app_url: str, request_text: str) -> None:
    """By the server or by a guard, always with 400."""
    assert b" 400 " in raw(app_url, request_text.encode())


def test_a_body_that_is_announced_too_long_is_not_waited_for(app_url: str) -> None:
    """The answer comes before the first byte of the body."""
    parts = urlsplit(app_url)
    line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    line.putrequest("POST", "/api/v1/identify")
    line.putheader("Content-Length", str(10**9))
    line.endheaders()
    answer = line.getresponse()

    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    line.close()
