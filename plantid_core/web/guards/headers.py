"""What every answer tells a browser to keep from: the headers, and the attributes of cookies.

OWASP Secure Headers Project; HSTS is RFC 6797.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from streamlit.file_util import get_static_dir

from plantid_core.web.guards.asgi import PROBES
from plantid_core.web.guards.content_policy import NOTHING, page_policy, pictures_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from plantid_core.settings import Settings

    Pairs = list[tuple[bytes, bytes]]

_BEGINNINGS = frozenset(
    {"http.response.start", "websocket.accept", "websocket.http.response.start"}
)
_OFF = (
    "accelerometer display-capture geolocation gyroscope hid magnetometer microphone midi"
    " payment serial usb xr-spatial-tracking"
)
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "permissions-policy": ", ".join(["camera=(self)", *(f"{name}=()" for name in _OFF.split())]),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Workers are held to the policy that their own script came with.
_PAGES = (b"text/html", b"text/javascript", b"application/javascript")
_OWN = ("/api/", "/media/")
# Read by the page's own scripts, which send it back.
_READ_BY_SCRIPTS = b"_streamlit_xsrf="


class Headers:
    """Adds the headers of safety to all answers, HSTS where they go by HTTPS, and mends cookies.

    A route may say its own Cache-Control; beneath /api, and of a page's pictures and files, what says
    none is not stored at all: a browser may be used by several people.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self._production = settings.production
        self._plain = [(key.encode(), value.encode()) for key, value in _ALWAYS.items()]
        self._secure = [*self._plain, *_hsts(settings)]
        self._ours = frozenset(name for name, _ in self._secure)
        index = Path(get_static_dir()) / "index.html"
        self._page = (
            b"content-security-policy",
            page_policy(index, pictures_of(settings)).encode(),
        )
        self._nothing = (b"content-security-policy", NOTHING.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to its answer."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def adding(message: Message) -> None:
            if message["type"] in _BEGINNINGS:
                message["headers"] = self._with(scope, message)
            await send(message)

        await self.app(scope, receive, adding)

    def _with(self, scope: Scope, message: Message) -> Pairs:
        secure = scope.get("scheme") in {"https", "wss"}
        pairs: Pairs = []
        policy, stored = self._nothing, False
        for name, value in message.get("headers") or ():
            key = name.lower()
            if key in self._ours:
                continue
            if key == b"set-cookie":
                value = self._cookie(value, secure=secure)  # noqa: PLW2901 - the mended one
            elif key == b"content-type" and value.startswith(_PAGES):
                policy = self._page
            elif key == b"cache-control":
                stored = True
            pairs.append((name, value))
        pairs += self._secure if secure else self._plain
        # Not modified: the browser keeps the page, and would put this policy in its own one's place.
        if message.get("status") != HTTPStatus.NOT_MODIFIED:
            pairs.append(policy)
        if not stored and _private(scope["path"]):
            pairs.append((b"cache-control", b"no-store"))
        return pairs

    def _cookie(self, value: bytes, *, secure: bool) -> bytes:
        said = {part.strip().split(b"=")[0].lower() for part in value.split(b";")[1:]}
        if b"secure" not in said and (secure or self._production):
            value += b"; Secure"
        if b"httponly" not in said and not value.startswith(_READ_BY_SCRIPTS):
            value += b"; HttpOnly"
        if b"samesite" not in said:
            value += b"; SameSite=Lax"
        return value


def everywhere() -> Pairs:
    """Return the headers of an answer that is no page and belongs to no path."""
    return [
        *((key.encode(), value.encode()) for key, value in _ALWAYS.items()),
        (b"content-security-policy", NOTHING.encode()),
        (b"cache-control", b"no-store"),
    ]


def _private(path: str) -> bool:
    return path.startswith(_OWN) or path in PROBES or path == "/api"


def _hsts(settings: Settings) -> Pairs:
    if not settings.hsts_seconds:
        return []
    value = f"max-age={settings.hsts_seconds}"
    value += "; includeSubDomains" if settings.hsts_subdomains else ""
    value += "; preload" if settings.hsts_preload else ""
    return [(b"strict-transport-security", value.encode())]
