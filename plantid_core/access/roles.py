"""What role somebody has: by a claim of the sign-in service, or by the settings' list of admins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.settings import words

if TYPE_CHECKING:
    from plantid_core.access.principal import Role
    from plantid_core.settings import Settings


@dataclass(frozen=True, slots=True)
class Roles:
    """The rule by which roles are given.

    ``admins`` are the subjects, of ``issuer`` alone, that are admins whatever it claims. ``local`` is
    the role of what acts for the local person of a machine where nobody signs in.
    """

    issuer: str
    admins: frozenset[str]
    claim: str
    admin_role: str
    local: Role

    def claimed(self, claims: Mapping[str, object]) -> Role:
        """Return the role that the sign-in service claims somebody to have.

        The claim is a text or a list of texts. Its name is tried as it is, then as a path whose steps
        are separated by dots: ``realm_access.roles``, as Keycloak has it.
        """
        found = _at(claims, self.claim)
        held = found if isinstance(found, list | tuple) else (found,)
        return "admin" if self.admin_role and self.admin_role in held else "user"

    def granted(self, issuer: str, subject: str, claimed: Role) -> Role:
        """Return the role somebody has: the claimed one, unless they are on the list of admins."""
        listed = issuer.rstrip("/") == self.issuer and subject in self.admins
        return "admin" if listed or claimed == "admin" else "user"


def roles_of(settings: Settings) -> Roles:
    """Return the rule of these settings."""
    return Roles(
        issuer=(settings.oidc_issuer or "").rstrip("/"),
        admins=frozenset(words(settings.admins)),
        claim=settings.oidc_role_claim,
        admin_role=settings.oidc_admin_role,
        local="user" if settings.production else "admin",
    )


def role_of(settings: Settings, subject: str, claims: Mapping[str, object]) -> Role:
    """Return the role of somebody whom the settings' sign-in service vouches for."""
    roles = roles_of(settings)
    return roles.granted(roles.issuer, subject, roles.claimed(claims))


def _at(claims: Mapping[str, object], name: str) -> object:
    if name in claims:
        return claims[name]
    found: object = claims
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
