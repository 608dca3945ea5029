"""Key rotation: what a former key signed is signed anew on the way in, so that nobody is signed out.

Streamlit, and the session that carries a sign-in to the issuer and back, know one key alone. Whatever
comes signed with a former one is therefore signed with the current one before they see it, and sent
back so, keeping the time at which it was made: a sign-in does not last longer for a rotation.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from itsdangerous import BadData, Signer, TimestampSigner
from streamlit.web.server.starlette.starlette_server_config import (
    AUTH_COOKIE_MAX_AGE_SECONDS,
    SESSION_COOKIE_NAME,
)

from plantid_core.access.signing import key_ring
from plantid_core.web.claims import PURPOSE, is_sign_in
from plantid_core.web.guards import jar, visitor

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from plantid_core.access.signing import KeyRing
    from plantid_core.settings import Settings

_SESSION_S = 14 * 24 * 60 * 60
_LOGIN = "/auth/login"
_STATIC = "/static/"


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one cookie is signed; ``anew`` takes any of our keys and signs with the current one.

    What `Signer` signs holds the time already: `TimestampSigner` would put in the present.
    """

    anew: Signer
    dated: TimestampSigner
    max_age_s: int


class Cookies:
    """Signs anew what a former key signed: cookies both ways, and the way to the sign-in."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        ring = key_ring(settings)
        self._rotates = bool(ring.fallbacks)
        self._keys = ring.derived(PURPOSE)
        self._kind = functools.lru_cache(maxsize=64)(functools.partial(_kind, ring))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as if nothing had been signed with a former key."""
        if self._rotates and scope["type"] in {"http", "websocket"}:
            if scope["path"] == _LOGIN:
                scope["query_string"] = self._login(scope["query_string"])
            if jar.has_cookies(scope) and not scope["path"].startswith(_STATIC):
                send = self._renew(scope, send)
        await self._app(scope, receive, send)

    def _renew(self, scope: Scope, send: Send) -> Send:
        changes: dict[str, str | None] = {}
        lines: dict[str, str] = {}
        for name, value in jar.cookies_of(scope).items():
            kind = self._kind(name)
            if kind is not None and (renewed := _renewed(kind, value)) is not None:
                changes[name], left_s = renewed
                lines[name] = jar.line(name, renewed[0], left_s)
        if not changes:
            return send
        jar.change(scope, changes)
        return jar.answering(send, lambda _message, _headers: lines)

    def _login(self, query: bytes) -> bytes:
        """Return the address's query, its word for the issuer signed with the current key.

        A page of a process with the former key may send its visitor to one that has the new key.
        """
        given = dict(parse_qsl(query.decode("latin-1")))
        word = given.get("provider", "")
        for key in self._keys[1:]:
            if (claims := _read_jwt(word, key)) is not None:
                return urlencode({**given, "provider": _jwt(claims, self._keys[0])}).encode()
        return query


def _kind(ring: KeyRing, name: str) -> _Kind | None:
    if name == visitor.COOKIE:
        return _signed(ring, visitor.PURPOSE, visitor.PURPOSE, visitor.MAX_AGE_S)
    if name == SESSION_COOKIE_NAME:
        return _signed(ring, PURPOSE, None, _SESSION_S)
    if is_sign_in(name):
        return _signed(ring, PURPOSE, name, AUTH_COOKIE_MAX_AGE_SECONDS)
    return None


def _signed(ring: KeyRing, purpose: str, salt: str | None, max_age_s: int) -> _Kind:
    # The library takes the newest key last, and signs with it.
    keys = list(reversed(ring.derived(purpose)))
    if salt is None:
        return _Kind(Signer(keys), TimestampSigner(keys), max_age_s)
    return _Kind(Signer(keys, salt=salt), TimestampSigner(keys, salt=salt), max_age_s)


def _renewed(kind: _Kind, value: str) -> tuple[str, int] | None:
    """Return the value as the current key signs it and its seconds left; None to leave it."""
    try:
        again = kind.anew.sign(kind.anew.unsign(value)).decode("latin-1")
        if again == value:
            return None
        _, made = kind.dated.unsign(value, return_timestamp=True)
    except BadData:
        return None
    left_s = int(made.timestamp() + kind.max_age_s - time.time())
    return (again, left_s) if left_s > 0 else None


def _read_jwt(word: str, key: str) -> dict[str, object] | None:
    from joserfc import jwt
    from joserfc.errors import JoseError
    from joserfc.jwk import OctKey

    try:
        return dict(jwt.decode(word, OctKey.import_key(key), algorithms=["HS256"]).claims)
    except (JoseError, ValueError):
        return None


def _jwt(claims: dict[str, object], key: str) -> str:
    from joserfc import jwt
    from joserfc.jwk import OctKey

    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(key))
