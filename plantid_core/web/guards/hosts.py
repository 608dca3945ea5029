"""Which names this app answers to, against Host headers that somebody else chose.

A forged one would end up in links and redirects, and a name that is pointed at this machine (DNS
rebinding) would make another site's page one of ours.
"""

from __future__ import annotations

import re
from contextlib import suppress
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from plantid_core.web.guards.asgi import PROBES, headers, refuse

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from plantid_core.settings import Settings

_LABEL = r"[a-z0-9_-]{1,63}"
_HOST = re.compile(rf"(\[[0-9a-f:.]{{2,45}}\]|{_LABEL}(?:\.{_LABEL})*)\.?(?::\d{{0,5}})?", re.ASCII)
_MOST_LETTERS = 300
_MOST_REMEMBERED = 512
_MOST_TOLD = 80


class Hosts:
    """Refuses a request for another host than PLANTID_ALLOWED_HOSTS name, pages and websockets alike.

    Ports do not count, and ``X-Forwarded-Host`` is not read: a proxy is to pass the Host on. Probes
    are answered under any name, since load balancers ask by address and learn nothing by it.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self._exact, self._beneath = _patterns(settings.hosts)
        self._known: dict[bytes, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "lifespan" or self.allows(headers(scope, b"host")) or _probes(scope):
            await self.app(scope, receive, send)
        else:
            given = b", ".join(headers(scope, b"host")).decode("latin-1")[:_MOST_TOLD]
            detail = (
                f"This app is not at the host {given!r}. Whoever runs it names its hosts in"
                " PLANTID_ALLOWED_HOSTS."
            )
            await refuse(scope, receive, send, 400, detail, code="host_not_allowed", value=given)

    def allows(self, given: list[bytes]) -> bool:
        """Tell whether these Host headers name this app; several, or none, do not."""
        if len(given) != 1:
            return False
        known = self._known.get(given[0])
        if known is None:
            known = self._named(given[0])
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[given[0]] = known
        return known

    def _named(self, given: bytes) -> bool:
        name = name_of(given.decode("latin-1"))
        return name is not None and (name in self._exact or name.endswith(self._beneath))


def _probes(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["path"] in PROBES


def name_of(host: str) -> str | None:
    """Return the name in a Host header, lower case, with neither port nor final dot; None for nonsense.

    An IPv6 literal is written the one way of RFC 5952, in brackets.
    """
    found = _HOST.fullmatch(host.lower()) if len(host) <= _MOST_LETTERS else None
    if found is None:
        return None
    name = found[1]
    if name.startswith("["):
        with suppress(ValueError):
            return f"[{IPv6Address(name[1:-1]).compressed}]"
        return None
    return name


def _patterns(hosts: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    exact, beneath = set(), []
    for host in hosts:
        text = host.lower()
        with suppress(ValueError):
            text = f"[{IPv6Address(text).compressed}]"
        with suppress(UnicodeError):
            text = text.removeprefix(".").encode("idna").decode("ascii")
        name = name_of(text)
        if name is not None:
            exact.add(name)
            if host.startswith("."):
                beneath.append(f".{name}")
    return frozenset(exact), tuple(beneath)
