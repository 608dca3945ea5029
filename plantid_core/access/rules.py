"""What each action needs: the one table that pages, routes and queries are held to.

An action that is not in the table is refused, so that a new one must name its permission. A token
needs the action's scope beside what its owner may do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plantid_core.access.permissions import (
    Access,
    AllowAny,
    InDevelopment,
    IsAdmin,
    IsAuthenticated,
    IsAuthenticatedOrReadOnly,
    IsOwner,
    IsOwnerOrReadOnly,
    IsToken,
    Permission,
)
from plantid_core.errors import PermissionDenied, SignInRequired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plantid_core.access.permissions import Environment
    from plantid_core.access.principal import Principal, Scope

Action = Literal[
    "status.see",
    "identify.ask",
    "identify.keep",
    "history.list",
    "history.read",
    "history.decide",
    "history.describe",
    "history.forget",
    "history.export",
    "photo.read",
    "batch.see",
    "batch.run",
    "evaluate.run",
    "evaluate.folder",
    "herbarium.see",
    "herbarium.change",
    "upload.try",
    "lab.simulate",
    "lab.live",
    "stage.see",
    "stage.press",
    "breakers.see",
    "breakers.force",
    "operations.see",
    "tokens.list",
    "tokens.create",
    "tokens.revoke",
    "people.list",
    "people.change",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """What an action needs; ``reads`` tells that it changes nothing, ``scope`` what of a token."""

    permission: Permission
    scope: Scope | None = None
    reads: bool = False
    about: str = ""


_ASKING = IsAuthenticated | InDevelopment

RULES: Mapping[Action, Rule] = {
    "status.see": Rule(AllowAny, None, reads=True, about="whether the app and its parts are well"),
    "identify.ask": Rule(_ASKING, "identify", about="ask the services for a plant's name"),
    "identify.keep": Rule(IsOwner, "identify", about="keep an answer in one's history"),
    "history.list": Rule(IsOwner, "history:read", reads=True, about="find in one's history"),
    "history.read": Rule(IsOwner | IsAdmin, "history:read", reads=True, about="one observation"),
    "history.decide": Rule(IsOwner, "history:write", about="confirm, correct or reject a name"),
    "history.describe": Rule(IsOwner, "history:write", about="put place, day or finder right"),
    "history.forget": Rule(IsOwner, "history:write", about="delete observations"),
    "history.export": Rule(IsOwner, "history:read", reads=True, about="write a file of one's own"),
    "photo.read": Rule(IsOwner | IsAdmin, "history:read", reads=True, about="a kept photo"),
    "batch.see": Rule(IsOwner, "history:read", reads=True, about="how one's batch goes"),
    "batch.run": Rule(IsOwner, "identify", about="identify many photos"),
    "evaluate.run": Rule(IsAuthenticated, "identify", about="measure the services on photos"),
    "evaluate.folder": Rule(
        InDevelopment & IsAdmin, "operate", about="measure on a folder of this machine"
    ),
    "herbarium.see": Rule(_ASKING, "history:read", reads=True, about="what the herbarium holds"),
    "herbarium.change": Rule(IsAdmin, "operate", about="build or forget the herbarium of all"),
    "upload.try": Rule(_ASKING, "identify", about="run files through the upload's gates"),
    "lab.simulate": Rule(IsAuthenticatedOrReadOnly, None, reads=True, about="simulate"),
    "lab.live": Rule(InDevelopment & IsAuthenticated, "operate", about="start real processes"),
    "stage.see": Rule(IsOwnerOrReadOnly, None, reads=True, about="watch the failure demo"),
    "stage.press": Rule(InDevelopment & IsAuthenticated, "operate", about="break the running app"),
    "breakers.see": Rule(_ASKING, None, reads=True, about="how every breaker stands"),
    "breakers.force": Rule(IsAdmin, "operate", about="force or reset a breaker"),
    "operations.see": Rule(IsAdmin, "operate", reads=True, about="the page Operations"),
    "tokens.list": Rule(IsOwner | IsAdmin, "operate", reads=True, about="tokens, not their words"),
    "tokens.create": Rule(IsAdmin & ~IsToken, about="make a token; no token makes another"),
    "tokens.revoke": Rule(IsOwner | IsAdmin, "operate", about="end a token"),
    "people.list": Rule(IsAdmin, "operate", reads=True, about="who has signed in"),
    "people.change": Rule(IsAdmin, "operate", about="deactivate or activate a person"),
}


def allowed(
    principal: Principal, action: Action, environment: Environment, owner: str | None = None
) -> bool:
    """Tell whether somebody may do it, to a thing of this owner (None: nobody's thing)."""
    rule = RULES.get(action)
    if rule is None or not _in_scope(principal, rule):
        return False
    return rule.permission.allows(Access(principal, environment, rule.reads, owner))


def require(
    principal: Principal, action: Action, environment: Environment, owner: str | None = None
) -> None:
    """Raise `SignInRequired` for somebody unknown, `PermissionDenied` for the known, unless allowed."""
    if allowed(principal, action, environment, owner):
        return
    if principal.kind == "anonymous":
        raise SignInRequired(action)
    rule = RULES.get(action)
    missing = None if rule is None or _in_scope(principal, rule) else rule.scope
    raise PermissionDenied(action, scope=missing)


def _in_scope(principal: Principal, rule: Rule) -> bool:
    return principal.scopes is None or rule.scope is None or rule.scope in principal.scopes
