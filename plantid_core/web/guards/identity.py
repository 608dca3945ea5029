"""Who sends a request: a token, or a browser that signed in; found out once, for all behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from plantid_core.access.principal import ANONYMOUS, Principal
from plantid_core.errors import HistoryUnavailable, TokenRefused
from plantid_core.telemetry import shout
from plantid_core.web import caller
from plantid_core.web.claims import Claimed, identity_in, is_sign_in
from plantid_core.web.guards import jar
from plantid_core.web.guards.asgi import bearer, headers, refuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from plantid_core.access.known import Known
    from plantid_core.access.registry import Registry
    from plantid_core.settings import Settings

# Says to the sign-in page, for a minute, why somebody is signed out.
DEPARTED_COOKIE = "plantid_departed"
_DEPARTED_S = 60
# What anybody gets alike; and the figures, whose token is no person's (`guards.metrics`).
ALIKE = ("/static/", "/healthz", "/readyz")
_FIGURES = {"/metrics", "/_stcore/metrics"}
_SIGN_OUT = "/auth/logout"
_NO_PASSWORDS = (
    "Passwords are not taken here. Sign in with the browser, or send a token as"
    " 'Authorization: Bearer …'."
)
# RFC 6750, section 3.
_CHALLENGE = {"WWW-Authenticate": "Bearer"}
_INVALID = {"WWW-Authenticate": 'Bearer error="invalid_token"'}

# Status, sentence, headers.
_Refusal = tuple[int, str, dict[str, str]]


class Identity:
    """Notes who asks (`caller.principal_of`), and refuses a token that lets nobody in.

    Somebody deactivated is nobody, and so is who shows a sign-in that was ended: the cookies are taken
    out of the request, and ended in the browser. Signing out ends the sign-in, and not only its cookies.
    ``registry`` is asked for with the first request that shows something.
    """

    def __init__(
        self, app: ASGIApp, *, settings: Settings, registry: Callable[[], Registry]
    ) -> None:
        self._app, self._settings, self._registry = app, settings, registry
        self._unknown = caller.unknown(settings)
        self._claimed = Claimed(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with who asks, or answer 401."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        caller.note(scope, self._unknown)
        if not scope["path"].startswith(ALIKE):
            shown = headers(scope, b"authorization")
            if shown and scope["path"] not in _FIGURES:
                caller.note(scope, ANONYMOUS)
                refusal = await self._token(scope, shown)
                if refusal is not None:
                    status, detail, more = refusal
                    await refuse(scope, receive, send, status, detail, answer_headers=more)
                    return
            elif self._settings.signs_in and jar.has_cookies(scope):
                send = await self._browser(scope, send)
        await self._app(scope, receive, send)

    async def _token(self, scope: Scope, shown: list[bytes]) -> _Refusal | None:
        word = bearer(shown[0])
        if word is None:
            return 401, _NO_PASSWORDS, _CHALLENGE
        if len(shown) > 1:
            return 401, "Send one Authorization header, not several.", _CHALLENGE
        known = self._registry().known
        found = known.token_at_hand(word)
        try:
            if found is None:
                found = await run_in_threadpool(known.token, word)
        except TokenRefused as refused:
            found = refused
        except HistoryUnavailable as error:
            return 503, str(error), {"Retry-After": "1"}
        if isinstance(found, TokenRefused):
            return 401, str(found), _INVALID
        caller.note(scope, found)
        return None

    async def _browser(self, scope: Scope, send: Send) -> Send:
        cookies = jar.cookies_of(scope)
        claims = self._claimed.of(cookies)
        identity = None if claims is None else identity_in(claims, self._settings)
        if claims is None or identity is None:
            return send
        known = self._registry().known
        found = await _person(known, identity, claims)
        if found is None:  # the database is away, and they are new to this process
            caller.note(scope, ANONYMOUS)
            return send
        caller.note(scope, found)
        if found is not ANONYMOUS and scope["type"] == "http" and scope["path"] == _SIGN_OUT:
            # Their cookies still tell Streamlit to take leave of the issuer as well.
            await _end(known, identity, claims)
        return _sign_out(scope, send, cookies) if found is ANONYMOUS else send


async def _person(
    known: Known, identity: tuple[str, str], claims: dict[str, object]
) -> Principal | None:
    found = known.person_at_hand(*identity, claims)
    if found is not None:
        return found
    try:
        return await run_in_threadpool(known.person, *identity, claims)
    except HistoryUnavailable:
        return None


async def _end(known: Known, identity: tuple[str, str], claims: dict[str, object]) -> None:
    """End the sign-in itself; the browser forgets it also where that cannot be written."""
    try:
        await run_in_threadpool(known.sign_out, *identity, claims)
    except HistoryUnavailable as error:
        shout("sign_out_not_kept", reason=error.reason)


def _sign_out(scope: Scope, send: Send, cookies: dict[str, str]) -> Send:
    theirs = [name for name in cookies if is_sign_in(name)]
    jar.change(scope, {**dict.fromkeys(theirs), DEPARTED_COOKIE: "1"})
    lines = {name: jar.line(name, "", 0) for name in theirs}
    lines[DEPARTED_COOKIE] = jar.line(DEPARTED_COOKIE, "1", _DEPARTED_S)
    return jar.answering(send, lambda _message, _headers: lines)
