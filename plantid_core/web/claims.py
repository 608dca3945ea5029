"""What an issuer says of whoever signed in, as the browser's own signed cookies carry it."""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import (
    TOKENS_COOKIE_NAME,
    USER_COOKIE_NAME,
)

from plantid_core.access.signing import key_ring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plantid_core.settings import Settings

# The purpose of the keys that Streamlit signs its cookies with.
PURPOSE = "streamlit-cookies"
_KEPT_S = 60.0
_MOST = 4096

Claims = dict[str, object]


class Claimed:
    """Reads the claims out of cookies as Streamlit does; what was checked is believed for a minute.

    Used from the event loop alone.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._origin = origin_of(settings)
        self._key = key_ring(settings).derived(PURPOSE)[0]
        self._kept: OrderedDict[bytes, tuple[float, Claims | None]] = OrderedDict()

    def of(self, cookies: Mapping[str, str]) -> Claims | None:
        """Return the claims of who is signed in, None for nobody or what is not ours."""
        if not self._settings.signs_in or USER_COOKIE_NAME not in cookies:
            return None
        theirs = {name: text for name, text in cookies.items() if is_sign_in(name)}
        digest = hashlib.sha256(repr(sorted(theirs.items())).encode()).digest()
        now = time.monotonic()
        kept = self._kept.get(digest)
        if kept is not None and now < kept[0]:
            return kept[1]
        claims = self._read(theirs)
        self._kept[digest] = (now + _KEPT_S, claims)
        self._kept.move_to_end(digest)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return claims

    def _read(self, cookies: Mapping[str, str]) -> Claims | None:
        def one(name: str) -> bytes | None:
            text = cookies.get(name, "").encode("latin-1", "replace")
            return decode_signed_value(self._key, name, text)

        raw = get_cookie_with_chunks(one, USER_COOKIE_NAME)
        try:
            claims = json.loads(raw or b"null")
        except ValueError:
            return None
        if not isinstance(claims, dict) or claims.get("origin") != self._origin:
            return None
        return claims if identity_in(claims, self._settings) is not None else None


def identity_in(claims: Mapping[str, object], settings: Settings) -> tuple[str, str] | None:
    """Return issuer and subject of who is signed in; None where it is not by the issuer of today."""
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not settings.signs_in or claims.get("is_logged_in") is not True:
        return None
    if not isinstance(issuer, str) or not isinstance(subject, str):
        return None
    issuer = issuer.rstrip("/")
    return (issuer, subject) if issuer == settings.oidc_issuer else None


def is_sign_in(name: str) -> bool:
    """Tell whether a cookie of this name holds (a part of) a sign-in."""
    base, _, number = name.rpartition("_")
    both = {USER_COOKIE_NAME, TOKENS_COOKIE_NAME}
    return name in both or (base in both and number.isdecimal())


def origin_of(settings: Settings) -> str:
    """Return scheme, host and port of the app's own address."""
    parts = urlsplit(settings.address)
    return f"{parts.scheme}://{parts.netloc}"
