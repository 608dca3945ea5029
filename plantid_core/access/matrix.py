"""The permission matrix: what each kind of caller may do, worked out from the rules themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from plantid_core.access import rules
from plantid_core.access.permissions import Access, Permission
from plantid_core.access.principal import ANONYMOUS, LOCAL, SCOPES, Principal
from plantid_core.errors import PermissionDenied, SignInRequired

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plantid_core.access.permissions import Environment
    from plantid_core.access.rules import Action

# Yes; sign in first; may not; does not learn that it exists.
Cell = Literal["yes", "401", "403", "404"]

OWNER, OTHER, ADMIN = "powner", "pother", "padmin"


@dataclass(frozen=True, slots=True)
class Caller:
    """One column: who asks, and where. ``stranger`` tells that the thing is not theirs, but `OWNER`'s.

    ``refused`` tells of a token that lets nobody in, whoever made it.
    """

    name: str
    principal: Principal
    environment: Environment = "production"
    stranger: bool = False
    refused: bool = False

    @property
    def whose(self) -> str | None:
        """Return whose thing it is that they ask for."""
        return OWNER if self.stranger else self.principal.owner


_USER: Final = Principal("person", "user", OWNER)

CALLERS: Final[tuple[Caller, ...]] = (
    Caller("this machine's person", LOCAL, "development"),
    Caller("anonymous, development", ANONYMOUS, "development"),
    Caller("anonymous", ANONYMOUS),
    Caller("user", _USER),
    Caller("other user", Principal("person", "user", OTHER), stranger=True),
    Caller("admin", Principal("person", "admin", ADMIN), stranger=True),
    *(
        Caller(f"token `{scope}`", Principal("token", "user", OWNER, frozenset({scope})))
        for scope in SCOPES
    ),
    Caller(
        "admin's token `operate`",
        Principal("token", "admin", ADMIN, frozenset({"operate"})),
        stranger=True,
    ),
    Caller("expired token", ANONYMOUS, refused=True),
    Caller("revoked token", ANONYMOUS, refused=True),
    Caller("deactivated person's token", ANONYMOUS, refused=True),
)


def own_things(caller: Caller) -> Caller:
    """Return the same caller, asking for what is theirs."""
    return replace(caller, stranger=False)


def cell(needs: Action | Permission, caller: Caller, *, reads: bool = False) -> Cell:
    """Return what a caller gets who asks for an action or, of a bare permission, to ``reads``."""
    if caller.refused:
        return "401"
    if isinstance(needs, Permission):
        access = Access(caller.principal, caller.environment, reads, caller.whose)
        if needs.allows(access):
            return "yes"
        return "401" if caller.principal.kind == "anonymous" else "403"
    try:
        rules.require(caller.principal, needs, caller.environment, caller.whose)
    except SignInRequired:
        return "401"
    except PermissionDenied:
        return "403"
    return "yes"


def actions() -> list[str]:
    """Return the table of all actions, as lines of Markdown."""
    rows = (
        [
            f"`{action}`",
            rule.about,
            rule.permission.name.replace("|", "\\|"),
            f"`{rule.scope}`" if rule.scope else "",
            *(cell(action, caller) for caller in CALLERS),
        ]
        for action, rule in rules.RULES.items()
    )
    return markdown(["action", "what", "needs", "scope", *_names()], rows)


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a table as lines of Markdown."""
    return [
        f"| {' | '.join(heads)} |",
        f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _names() -> list[str]:
    return [caller.name for caller in CALLERS]
