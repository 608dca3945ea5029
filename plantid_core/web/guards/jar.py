"""The cookies of a request, and those sent back with its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Message, Scope, Send

_COOKIE = b"cookie"
# What begins an answer, and may carry cookies: the websocket's handshake is one as well.
_BEGINNINGS = {"http.response.start", "websocket.accept"}


def has_cookies(scope: Scope) -> bool:
    """Tell whether the request carries any."""
    return any(name == _COOKIE for name, _ in scope["headers"])


def cookies_of(scope: Scope) -> dict[str, str]:
    """Return the request's cookies, read as the app behind reads them."""
    return {
        name: value
        for header, text in scope["headers"]
        if header == _COOKIE
        for name, value in cookie_parser(text.decode("latin-1")).items()
    }


def change(scope: Scope, changes: Mapping[str, str | None]) -> None:
    """Give the request other cookies: those named are replaced or added, and taken out where None.

    Raises nothing; what a change does not name stays as it was sent.
    """
    kept = [
        part.strip()
        for header, text in scope["headers"]
        if header == _COOKIE
        for part in text.decode("latin-1").split(";")
        if part.strip() and part.partition("=")[0].strip() not in changes
    ]
    kept += [f"{name}={value}" for name, value in changes.items() if value is not None]
    others = [pair for pair in scope["headers"] if pair[0] != _COOKIE]
    text = "; ".join(kept).encode("latin-1")
    scope["headers"] = [*others, (_COOKIE, text)] if kept else others


def line(name: str, value: str, max_age_s: int) -> str:
    """Return the header that sets a cookie no script can read; 0 s ends it.

    ``Secure`` is added to every cookie, also to Streamlit's, where the headers are.
    """
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}"


def answering(send: Send, lines: Callable[[Message, Headers], Mapping[str, str]]) -> Send:
    """Return a ``send`` that adds cookies (by name) to the answer's beginning.

    A cookie that the answer sets itself is left to it. An answer that any cache may keep gets none:
    it would be handed to others with the cookie.
    """

    async def sending(message: Message) -> None:
        if message["type"] in _BEGINNINGS:
            headers = Headers(raw=list(message.get("headers", ())))
            if "public" not in headers.get("cache-control", ""):
                wanted = dict(lines(message, headers))
                for own in headers.getlist("set-cookie"):
                    wanted.pop(own.partition("=")[0].strip(), None)
                more = [(b"set-cookie", text.encode("latin-1")) for text in wanted.values()]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
        await send(message)

    return sending
