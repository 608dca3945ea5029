"""Bodies that nobody reads: the connection ends, else the server would read, and drop, all that comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

# A refused body of up to so many digits of bytes is read to its end, and the connection kept.
_SMALL_DIGITS = 5
_CLOSE = (b"connection", b"close")


def much_is_coming(scope: Scope) -> bool:
    """Tell whether a request announces a body that is long, or of a length nobody knows."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and len(value) > _SMALL_DIGITS)
        for name, value in scope["headers"]
    )


def ending(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """Return how to read a request and answer it, so that an answer ends what was not read.

    An answer begun before a long body was read to its end says ``Connection: close`` (RFC 9112, 9.3).
    """
    if not much_is_coming(scope):
        return receive, send
    is_read = False

    async def reading() -> Message:
        nonlocal is_read
        message = await receive()
        is_read = is_read or not message.get("more_body", False)
        return message

    async def answering(message: Message) -> None:
        if not is_read and message["type"] == "http.response.start":
            kept = [one for one in message.get("headers", ()) if one[0].lower() != _CLOSE[0]]
            message = {**message, "headers": [*kept, _CLOSE]}
        await send(message)

    return reading, answering
