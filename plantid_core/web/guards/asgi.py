"""What the guards share: how to read a request's headers, and how to refuse it."""

from __future__ import annotations

import functools
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from plantid_core.web.problems import problem
from plantid_core.web.unread import much_is_coming

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Address, IPv4Network, IPv6Network

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

# Asked by load balancers, by address and over plain HTTP; they tell nothing that is not for everybody.
PROBES = frozenset({"/healthz", "/readyz"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})

_POLICY_VIOLATION = 1008
# What the length of is not known, or too great.
_CLOSING = frozenset({400, 413})


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of this name (lower case), None where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def bearer(shown: bytes) -> str | None:
    """Return the word that an Authorization header shows, None where it is of another scheme."""
    scheme, _, word = shown.decode("latin-1").partition(" ")
    return word.strip() if scheme.lower() == "bearer" else None


def headers(scope: Scope, name: bytes) -> list[bytes]:
    """Return every header of this name (lower case)."""
    return [bytes(value) for key, value in scope["headers"] if key == name]


def plain(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address as one of its own kind, None where it is none (a unix socket's)."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    # A socket for both kinds has those of the old one as IPv6.
    return (isinstance(parsed, IPv6Address) and parsed.ipv4_mapped) or parsed


def is_in(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Tell whether an address is of one of these networks."""
    parsed = plain(address)
    return parsed is not None and any(parsed in network for network in networks)


@functools.lru_cache(4096)
def network_of(address: str) -> str:
    """Return what an address is counted as: whoever has one of IPv6 has a /64 at least (RFC 6177)."""
    parsed = plain(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address if parsed is None else str(parsed)


async def refuse(
    scope: Scope,
    receive: Receive,
    send: Send,
    status: int,
    detail: str,
    *,
    answer_headers: Mapping[str, str] | None = None,
    **more: object,
) -> None:
    """Answer a request that goes no further with a problem, ``more`` its extension members."""
    response = problem(status, detail, **more)
    response.headers.update(answer_headers or {})
    await turn_away(scope, receive, send, response)


async def turn_away(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    """Answer a request that goes no further; a websocket is turned away before it is accepted."""
    if scope["type"] == "websocket" and not _can_answer(scope):
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    if response.status_code in _CLOSING or much_is_coming(scope):
        # Else the server would go on reading, and dropping, what the client still sends.
        response.headers["Connection"] = "close"
    await response(scope, receive, send)


def _can_answer(scope: Scope) -> bool:
    return "websocket.http.response" in (scope.get("extensions") or {})
