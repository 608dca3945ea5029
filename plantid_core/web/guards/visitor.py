"""A browser's own mark, by which what was made for its pages is given to it alone."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from plantid_core.web.claims import is_sign_in
from plantid_core.web.guards import jar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message, Scope, Send

    from plantid_core.access.signing import KeyRing

COOKIE = "plantid_visitor"
PURPOSE = "plantid-visitor"
# As long as a sign-in lasts; a browser that comes back keeps its mark.
MAX_AGE_S = 30 * 24 * 60 * 60
_RENEW_S = 24 * 60 * 60
_HEALTH = "/_stcore/health"


def visitor_in(ring: KeyRing, cookies: Mapping[str, str]) -> str | None:
    """Return the mark in these cookies, None where there is none of ours."""
    found = _read(ring, cookies)
    return None if found is None else found[0]


def changes_sign_in(answer: Message) -> bool:
    """Tell whether an answer's beginning has the browser signed in or out."""
    told = Headers(raw=list(answer.get("headers", ()))).getlist("set-cookie")
    return any(is_sign_in(one.partition("=")[0].strip()) for one in told)


def marking(scope: Scope, send: Send, ring: KeyRing) -> Send:
    """Return a ``send`` that gives a browser its mark with the first page it gets.

    Also with the answer a page asks for before each connection: it may have been open for a month.
    Whoever signs in or out gets a new one: what was made for the page before is not for who comes then.
    """

    def lines(message: Message, headers: Headers) -> Mapping[str, str]:
        if changes_sign_in(message):
            return {COOKIE: _line(ring, secrets.token_urlsafe(32))}
        document = headers.get("content-type", "").startswith("text/html")
        if scope["method"] != "GET" or not (document or scope["path"] == _HEALTH):
            return {}
        found = _read(ring, jar.cookies_of(scope))
        if found is not None and time.time() - found[1] < _RENEW_S:
            return {}
        mark = secrets.token_urlsafe(32) if found is None else found[0]
        return {COOKIE: _line(ring, mark)}

    return jar.answering(send, lines)


def _line(ring: KeyRing, mark: str) -> str:
    return jar.line(COOKIE, ring.sign(PURPOSE, [mark, int(time.time())]), MAX_AGE_S)


def _read(ring: KeyRing, cookies: Mapping[str, str]) -> tuple[str, int] | None:
    text = cookies.get(COOKIE)
    if text is None:
        return None
    match ring.read(PURPOSE, text, MAX_AGE_S):
        case [str(mark), int(made)]:
            return mark, made
        case _:
            return None
