"""Who sends a request: what the guards found out of it, for the routes behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.access.principal import ANONYMOUS, LOCAL, Principal
from plantid_core.web.seen import seen

if TYPE_CHECKING:
    from starlette.types import Scope

    from plantid_core.settings import Settings

_KEY = "plantid.principal"


def note(scope: Scope, principal: Principal) -> None:
    """Write down who asks."""
    scope[_KEY] = principal
    seen(scope).principal = principal.kind


def principal_of(scope: Scope) -> Principal:
    """Return who asks; nobody in particular, where no guard has looked."""
    found = scope.get(_KEY)
    return found if isinstance(found, Principal) else ANONYMOUS


def unknown(settings: Settings) -> Principal:
    """Return who somebody is that has shown nothing: the local person where nobody can sign in.

    In production that is nobody, also where no sign-in is set up: then only tokens let in.
    """
    return ANONYMOUS if settings.production or settings.signs_in else LOCAL


def address_of(scope: Scope) -> str:
    """Return where a request comes from, behind proxies that are trusted."""
    client = scope.get("client")
    return str(client[0]) if client else "local"
