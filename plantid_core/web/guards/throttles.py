"""Which rate a request is counted at, and as whose."""

from __future__ import annotations

import hashlib
from ipaddress import ip_network
from typing import TYPE_CHECKING

from plantid_core.access.principal import LOCAL
from plantid_core.settings import words
from plantid_core.web.caller import address_of, principal_of
from plantid_core.web.guards.asgi import bearer, header, is_in, network_of
from plantid_core.web.guards.windows import SlidingWindows, rate_of

if TYPE_CHECKING:
    from starlette.types import Scope

    from plantid_core.settings import Settings

ATTEMPTS = "attempts"

_UPLOADS = "/_stcore/upload_file/"
_COUNTED = ("/api/", "/auth/", "/oauth2callback")
# A question takes up to five photos, and on a page each is a request of its own.
_PHOTOS_EACH = 5
_MOST_REMEMBERED = 4096


class Counted:
    """A request's place: the counts of one rate, the rate in words, and the key there."""

    __slots__ = ("key", "name", "policy", "rate", "windows")

    def __init__(self, throttle: _Named, key: str) -> None:
        self.windows = throttle.windows
        self.name = throttle.name
        self.policy = throttle.policy
        self.rate = throttle.rate
        self.key = key


class _Named:
    __slots__ = ("name", "policy", "rate", "windows")

    def __init__(self, name: str, windows: SlidingWindows) -> None:
        limit, period_s = windows.rate
        self.name = name
        self.windows = windows
        self.policy = f'"{name}";q={limit};w={period_s}'.encode()
        self.rate = str(windows.rate)


class Throttles:
    """The rates of the settings and the counts of this process: ``windows`` by the rate's name.

    Counted are the API, sign-in, a page's uploads and its websocket; not its files, and no probe.
    """

    def __init__(self, settings: Settings) -> None:
        said = {
            "anonymous": settings.throttle_anonymous,
            "user": settings.throttle_user,
            "token": settings.throttle_token,
        }
        rates = {name: rate_of(text) for name, text in said.items()}
        rates |= {f"{name}-uploads": rate_of(text, _PHOTOS_EACH) for name, text in said.items()}
        rates[ATTEMPTS] = rates["anonymous"]
        self.windows = {name: SlidingWindows(rate) for name, rate in rates.items() if rate}
        self._named = {name: _Named(name, one) for name, one in self.windows.items()}
        self._exempt = tuple(
            ip_network(one, strict=False) for one in words(settings.throttle_exempt)
        )
        self._keys: dict[str, str | None] = {}

    def counted(self, scope: Scope) -> Counted | None:
        """Return what a request is counted as; None for one that is not counted."""
        uploads = _uploads(scope)
        if uploads is None:
            return None
        key = self._address(address_of(scope))
        # The one person of a machine is in nobody's way.
        if key is None or (principal := principal_of(scope)) is LOCAL:
            return None
        name = "anonymous"
        if principal.kind == "token":
            # The word alone: the same one is shown in many ways (spaces, the scheme's letters).
            word = bearer(header(scope, b"authorization") or b"") or ""
            name, key = "token", hashlib.blake2b(word.encode(), digest_size=16).hexdigest()
        elif principal.owner is not None:
            name, key = "user", principal.owner
        return self._place(f"{name}-uploads" if uploads else name, key)

    def attempt(self, scope: Scope) -> Counted | None:
        """Return what a request that shows something is counted as, should that be refused."""
        key = self._address(address_of(scope))
        return None if key is None else self._place(ATTEMPTS, key)

    def _place(self, name: str, key: str) -> Counted | None:
        named = self._named.get(name)
        return None if named is None else Counted(named, key)

    def _address(self, address: str) -> str | None:
        """Return what an address is counted as; None where it is exempt."""
        if address in self._keys:
            return self._keys[address]
        key = None if is_in(address, self._exempt) else network_of(address)
        if len(self._keys) >= _MOST_REMEMBERED:
            self._keys.clear()
        self._keys[address] = key
        return key


def _uploads(scope: Scope) -> bool | None:
    """Tell whether a request is an upload; None for one that is not counted at all."""
    if scope["type"] == "websocket":
        return False
    if scope["type"] != "http":
        return None
    path: str = scope["path"]
    if path.startswith(_UPLOADS):
        return True if scope["method"] in {"PUT", "POST", "DELETE"} else None
    return False if path.startswith(_COUNTED) else None
