"""Connections of hostile and of slow clients, by a real server."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import orjson
import pytest
import uvicorn
from guarded import METHODS, chat, told
from processes import until
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from plantid_core.settings import load_settings
from plantid_core.web.connection import Connection, Doors, doors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
KEY = b"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n"
VERSION = b"Sec-WebSocket-Version: 13\r\n"
IMPATIENT = {"head_s": 0.2, "body_s": 0.2, "body_rate": 10**9, "read_s": 0.2, "sweep_s": 0.05}


async def much(_: Request) -> Response:
    return Response(bytes(30_000_000))


async def thinks_first(request: Request) -> Response:
    await asyncio.sleep(0.6)
    return JSONResponse(len(await request.body()))


APP = Starlette(
    routes=[
        Route("/much", much),
        Route("/thinks", thinks_first, methods=["POST"]),
        WebSocketRoute("/_stcore/stream", chat),
        Route("/{rest:path}", told, methods=METHODS),
    ]
)


@contextmanager
def served(at: Doors) -> Iterator[tuple[uvicorn.Server, int]]:
    """Serve an app behind these doors; give the server and its port."""
    made = cast("type[asyncio.Protocol]", functools.partial(Connection, doors=at))
    config = uvicorn.Config(
        APP, http=made, ws="websockets-sansio", log_level="critical", lifespan="off"
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="module")
def patient() -> Iterator[int]:
    with served(doors(load_settings())) as (_, port):
        yield port


@pytest.fixture(scope="module")
def impatient() -> Iterator[int]:
    with served(Doors(**IMPATIENT)) as (_, port):  # type: ignore[arg-type]
        yield port


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def answer(line: socket.socket) -> bytes:
    """Return all that comes until the server ends the connection."""
    found = b""
    while more := line.recv(65_536):
        found += more
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),
        GET + b"X-A: a\x00b\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["TLS", "null", "two lengths", "gzip", "chunk below 0"],
)
def test_what_is_no_http_is_refused_as_all_is(patient: int, sent: bytes) -> None:
    """A problem with the headers of every answer and an id; nothing of what was sent."""
    with dial(patient) as line:
        line.sendall(sent)
        head, _, body = answer(line).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    for header in (b"x-content-type-options: nosniff", b"content-security-policy:"):
        assert header in head
    found = orjson.loads(body)
    assert (found["status"], found["code"]) == (400, "malformed")
    assert f"x-request-id: {found['instance']}".encode() in head


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"X-A: ",
        POST + b"Content-Length: 10\r\n\r\n12345",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\n",
    ],
    ids=["head", "body", "chunk"],
)
def test_a_request_that_does_not_arrive_is_given_up(impatient: int, sent: bytes) -> None:
    """With 408, however much of it is missing."""
    with dial(impatient) as line:
        line.sendall(sent)
        assert answer(line).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_ended(impatient: int) -> None:
    """Without a word, as browsers that open one in advance expect."""
    with dial(impatient) as line:
        assert answer(line) == b""


def test_a_body_that_comes_slower_and_slower_is_given_up(impatient: int) -> None:
    """A byte now and then holds nothing open."""
    with dial(impatient) as line:
        line.sendall(POST + b"Content-Length: 1000\r\n\r\n")

        def refused() -> bool:
            try:
                line.sendall(b"x")
            except OSError:
                return True
            return False

        assert until(refused, 10)


def test_a_body_that_the_app_lets_wait_is_waited_for(impatient: int) -> None:
    """It is not the client who takes the time."""
    head = b"POST /thinks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    with dial(impatient) as line:
        line.sendall(head + b"Content-Length: 300000\r\n\r\n" + bytes(300_000))
        assert answer(line).endswith(b"\r\n\r\n300000")


def test_an_answer_that_is_not_read_is_given_up() -> None:
    """Its bytes are memory of ours."""
    with served(Doors(**IMPATIENT)) as (server, port), dial(port) as line:  # type: ignore[arg-type]
        line.sendall(b"GET /much HTTP/1.1\r\nHost: localhost\r\n\r\n")
        line.recv(1000)

        assert until(lambda: not server.server_state.connections, 10)


def test_one_address_does_not_hold_all_connections() -> None:
    """The last one too many is told so; when one ends, another may come."""
    with served(Doors(most_of_one=2)) as (server, port):
        held = [dial(port) for _ in range(2)]
        with dial(port) as third:
            refusal = answer(third)
        held.pop().close()
        assert until(lambda: len(server.server_state.connections) == 1)
        with dial(port) as again:
            again.sendall(GET + b"Connection: close\r\n\r\n")
            accepted = answer(again)
        held.pop().close()

    assert refusal.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in refusal
    assert accepted.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("proxies", "status"), [("127.0.0.0/8", b"200"), ("10.0.0.0/8", b"503")])
def test_a_trusted_proxy_stands_for_many(proxies: str, status: bytes) -> None:
    """Its connections are bounded together with all others alone."""
    trusted = doors(load_settings(trusted_proxies=proxies)).proxies
    with served(Doors(most_of_one=1, proxies=trusted)) as (_, port), dial(port), dial(port) as line:
        line.sendall(GET + b"Connection: close\r\n\r\n")
        assert line.recv(12) == b"HTTP/1.1 " + status


@pytest.mark.parametrize(
    "sent",
    [
        POST.replace(b" / ", b" /_stcore/stream ") + UPGRADE + KEY + VERSION + b"Content-Length: 0\r\n",
        GET.replace(b" / ", b" /_stcore/stream ") + UPGRADE + VERSION,
        GET.replace(b" / ", b" /_stcore/stream ") + UPGRADE + KEY + b"Sec-WebSocket-Version: 99\r\n",
        GET.replace(b" / ", b" /_stcore/stream ") + UPGRADE + KEY + VERSION + b"Content-Length: 0\r\n",
        GET.replace(b" / ", b" /_stcore/stream ") + UPGRADE + KEY + VERSION + b"X: y\r\n" * 150,
        GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
    ],
    ids=["POST", "no key", "version", "body", "headers", "h2c"],
)  # fmt: skip
def test_what_is_nearly_a_websocket_is_a_request(patient: int, sent: bytes) -> None:
    """All guards see it; what makes no websocket would else be answered past them."""
    with dial(patient) as line:
        line.sendall(sent + b"\r\n")
        assert line.recv(12) == b"HTTP/1.1 200"


def test_a_websocket_is_one(patient: int) -> None:
    """And lives on by its pings alone."""
    with dial(patient) as line:
        begin = GET.replace(b" / ", b" /_stcore/stream ")
        line.sendall(begin + UPGRADE + KEY + VERSION + b"\r\n")
        assert line.recv(12) == b"HTTP/1.1 101"
