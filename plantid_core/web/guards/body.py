"""How much a request may hold: by the length it announces, and counted as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.web.guards.asgi import headers, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plantid_core.settings import Settings

# What holds photos; every other route is content with a few kilobytes, of JSON or of nothing.
_WITH_PHOTOS = ("/api/v1/identify", "/_stcore/upload_file/")
_WITHOUT_BYTES = 64 * 1024
_MOST_DIGITS = 15


class BodyTooLargeError(Exception):
    """More was sent than the route takes; raised to whoever reads the body."""


class BodyLimit:
    """Refuses a body above PLANTID_BODY_LIMIT_BYTES (413), or one of no certain length (400)."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self._most = settings.body_limit_bytes
        self._least = min(_WITHOUT_BYTES, self._most)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its body bounded."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        writes = scope["method"] not in {"GET", "HEAD", "OPTIONS", "DELETE"}
        limit = self._most if writes and scope["path"].startswith(_WITH_PHOTOS) else self._least
        announced = headers(scope, b"content-length")
        if announced:
            length = _length(announced)
            if length is None or headers(scope, b"transfer-encoding"):
                detail = "The request's length is not certain: send one Content-Length, a number."
                await refuse(scope, receive, send, 400, detail, code="length_uncertain")
                return
            if length > limit:
                await _too_large(scope, receive, send, limit)
                return
        await self._counted(scope, receive, send, limit)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        left = limit
        begun = False

        async def bounded() -> Message:
            nonlocal left
            if left < 0:
                raise BodyTooLargeError
            message = await receive()
            if body := message.get("body"):
                left -= len(body)
                if left < 0:
                    raise BodyTooLargeError
            return message

        async def checked(message: Message) -> None:
            nonlocal begun
            # Whatever a route makes of the exception, the answer is this one.
            if left < 0 and not begun:
                raise BodyTooLargeError
            begun = True
            await send(message)

        try:
            await self.app(scope, bounded, checked)
        except BodyTooLargeError:
            if begun:
                raise
            await _too_large(scope, receive, send, limit)


async def _too_large(scope: Scope, receive: Receive, send: Send, limit: int) -> None:
    detail = f"The request is larger than it may be here: {limit:,} bytes are allowed."
    if limit > _WITHOUT_BYTES:
        detail = f"The request is larger than five photos can be: {limit:,} bytes are allowed."
    await refuse(scope, receive, send, 413, detail, code="too_large", limit=limit)


def _length(announced: list[bytes]) -> int | None:
    # int() alone would take "+5", "1_000" and digits of other scripts.
    if len(announced) != 1 or not announced[0].isdigit() or len(announced[0]) > _MOST_DIGITS:
        return None
    return int(announced[0])
