"""The figures of the running app are for whoever runs it: by a token, or on the machine itself."""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from plantid_core.settings import words
from plantid_core.web.guards.asgi import header, headers, refuse
from plantid_core.web.guards.proxy import PROXIED

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from plantid_core.settings import Settings

_STREAMLITS = "/_stcore/metrics"
_BEARER = b"bearer "
_DETAIL = (
    "The figures are for whoever runs this app. Send PLANTID_METRICS_TOKEN as"
    " 'Authorization: Bearer …', or ask on the machine itself."
)


class Metrics:
    """Closes Streamlit's own figures to whoever may not read them (401)."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if (
            scope["type"] == "http"
            and scope["path"].rstrip("/") == _STREAMLITS
            and not may_read_metrics(scope, self._settings)
        ):
            challenge = {"WWW-Authenticate": "Bearer"}
            await refuse(scope, receive, send, 401, _DETAIL, answer_headers=challenge)
            return
        await self._app(scope, receive, send)


def may_read_metrics(scope: Scope, settings: Settings) -> bool:
    """Tell whether a request may read the figures: by PLANTID_METRICS_TOKEN, or from this machine.

    Behind a proxy on this machine everybody comes from it. So it counts only where no proxy is set, none
    left a trace, and what was asked for is this machine by name.
    """
    shown = headers(scope, b"authorization")
    if shown:
        return len(shown) == 1 and _is_token(shown[0], settings)
    return (
        not words(settings.trusted_proxies)
        and not scope.get(PROXIED, False)
        and _is_loopback((scope.get("client") or ("",))[0])
        and _names_loopback(header(scope, b"host") or b"")
    )


def _is_token(shown: bytes, settings: Settings) -> bool:
    token = settings.metrics_token
    if token is None or not shown.lower().startswith(_BEARER):
        return False
    given = shown[len(_BEARER) :].strip()
    return hmac.compare_digest(given, token.get_secret_value().encode())


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _names_loopback(host: bytes) -> bool:
    try:
        name = urlsplit(f"//{host.decode('latin-1')}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or _is_loopback(name)
