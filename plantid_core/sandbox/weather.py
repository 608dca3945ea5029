"""The layer between the socket and a service: delays, errors, resets, cut and dripping bodies."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plantid_core.sandbox.faults import ErrorAnswer, FaultBoard, Service
    from plantid_core.sandbox.ledger import Ledger

_DRIP_TICK_S = 0.1
_GARBAGE = b'{"result": {"classification": {"suggestions": [{"na'


class Weather:
    """An ASGI layer; it must be the outermost one, since it closes the client's connection."""

    def __init__(self, app: ASGIApp, board: FaultBoard, ledger: Ledger) -> None:
        self._app = app
        self._board = board
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and let its service's faults happen to it."""
        service = service_of(scope["path"]) if scope["type"] == "http" else None
        if service is None:
            await self._app(scope, receive, send)
            return
        asked, gone = await _whole(receive)
        serving = asyncio.ensure_future(self._serve(service, scope, asked, send))
        leaving = asyncio.ensure_future(gone())
        with self._ledger.under_way(service):
            await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
        # A service goes on, and charges, for a client that has left: nobody waits for it any more.
        with self._ledger.left_alone(service):
            await serving
        leaving.cancel()

    async def _serve(self, service: Service, scope: Scope, receive: Receive, send: Send) -> None:
        board = self._board

        # Before it is sent: whoever has the answer finds it counted.
        count = self._ledger.counter(service, scope["method"], scope["path"])
        faults = board.faults(service)
        await asyncio.sleep(board.delay_s(service))
        if board.is_out(service) or board.happens(faults.reset_rate):
            count("reset")
            _reset(send)
            return
        if (error := board.error(service)) is not None:
            count(str(error.status))
            await _error(service, error)(scope, receive, send)
            return
        start, body = await _collect(self._app, scope, receive)
        if board.happens(faults.malformed_rate):
            body = _GARBAGE
            start = _with_length(start, len(body))
        if board.happens(faults.truncate_rate):
            count("truncated")
            await send(start)
            await send(
                {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
            )
            _close(send)
            return
        count(str(start["status"]))
        await send(start)
        await _send_body(send, body, faults.drip_bytes_per_s)


def service_of(path: str) -> Service | None:
    """Return the service that a path belongs to."""
    if path.startswith(("/api/v3/", "/v3/")):
        return "plant_id"
    return "plantnet" if path.startswith("/v2/") else None


async def _whole(receive: Receive) -> tuple[Receive, Callable[[], Awaitable[None]]]:
    """Return the request, read to its end, and what waits until its client has left."""
    messages: list[Message] = []
    while True:
        messages.append(await receive())
        if not messages[-1].get("more_body"):
            break

    async def replay() -> Message:
        return messages.pop(0) if messages else await receive()

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return replay, gone


async def _collect(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    start: list[Message] = []
    body = bytearray()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.append(message)
        else:
            body.extend(message.get("body", b""))

    try:
        await app(scope, receive, keep)
    except ClientDisconnect:
        return {"type": "http.response.start", "status": 400, "headers": []}, b""
    except Exception:
        if not start:
            raise
        # The application has answered 500 and raised again for the log: both are wanted.
        logging.getLogger(__name__).exception("The sandbox itself failed")
    return start[0], bytes(body)


async def _send_body(send: Send, body: bytes, bytes_per_s: float | None) -> None:
    if bytes_per_s is not None:
        step = max(1, int(bytes_per_s * _DRIP_TICK_S))
        for at in range(0, len(body), step):
            part = body[at : at + step]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(len(part) / bytes_per_s)
        body = b""
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _with_length(start: Message, length: int) -> Message:
    headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}


def _error(service: Service, error: ErrorAnswer) -> ASGIApp:
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(round(error.retry_after_s))
    text = f"Sandbox fault {error.status}"
    if service == "plant_id":
        return PlainTextResponse(text, error.status, headers)
    body = {"statusCode": error.status, "error": text, "message": text}
    return JSONResponse(body, error.status, headers)


def _transport(send: Send) -> asyncio.Transport | None:
    # ASGI has no word for "break the connection"; uvicorn's request cycle owns the transport.
    return cast(
        "asyncio.Transport | None", getattr(getattr(send, "__self__", None), "transport", None)
    )


def _reset(send: Send) -> None:
    """Break the connection with a TCP RST: SO_LINGER of zero seconds, then close."""
    transport = _transport(send)
    if transport is None:
        return
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    transport.abort()


def _close(send: Send) -> None:
    transport = _transport(send)
    if transport is not None:
        transport.close()
