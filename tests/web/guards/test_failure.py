"""What nobody foresaw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from guarded import Client, client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnected
from structlog.testing import capture_logs

from plantid_core.web.guards.failure import Failure

if TYPE_CHECKING:
    from starlette.requests import Request


def test_a_failure_is_a_problem_and_a_line_in_the_log() -> None:
    """Nothing of the inside is told."""
    with capture_logs() as lines:
        answer = client(Middleware(Failure)).get("/broken")

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert [(line["event"], line["error"]) for line in lines] == [
        ("request failed", "RuntimeError")
    ]


def test_an_answer_that_has_begun_is_broken_off() -> None:
    """Nobody takes the half of it for the whole."""

    async def half(_: Request) -> StreamingResponse:
        def parts() -> object:
            yield b"half"
            raise RuntimeError

        return StreamingResponse(parts())  # type: ignore[arg-type]

    app = Starlette(routes=[Route("/", half)], middleware=[Middleware(Failure)])
    with pytest.raises(RuntimeError):
        Client(app).get("/")


@pytest.mark.parametrize("left", [ClientDisconnect, WebSocketDisconnected])
def test_who_leaves_is_no_failure(left: type[Exception]) -> None:
    """A request that breaks off is its sender's doing: no traceback of it fills the log."""

    async def reads(_: Request) -> StreamingResponse:
        raise left

    app = Starlette(routes=[Route("/", reads)], middleware=[Middleware(Failure)])
    with capture_logs() as lines, pytest.raises(AssertionError):  # nothing is answered
        Client(app).get("/")

    assert lines == []
