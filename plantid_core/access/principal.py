"""Who asks: nobody in particular, a person who signed in, or a token that acts for one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

from plantid_core.store.history.values import LOCAL_OWNER

Kind = Literal["anonymous", "person", "token"]
Role = Literal["anonymous", "user", "admin"]
Scope = Literal["identify", "history:read", "history:write", "operate"]

SCOPES: tuple[Scope, ...] = get_args(Scope)

_ID_HEX = 32


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``owner`` is whose things are made and reached, None for nobody's.

    ``scopes`` bounds what a token may do; None where nothing but the role does.
    """

    kind: Kind
    role: Role
    owner: str | None = None
    scopes: frozenset[Scope] | None = None


ANONYMOUS = Principal("anonymous", "anonymous")
# The one person of a machine where nobody signs in.
LOCAL = Principal("person", "admin", LOCAL_OWNER)


def owner_of(issuer: str, subject: str) -> str:
    """Return the id of a person: a digest of issuer and subject, which alone identify one.

    OpenID Connect Core 1.0, section 5.7: no other claim, an e-mail address say, is stable or unique.
    Whether the issuer's address ends in a slash makes no other person.
    """
    issuer = issuer.rstrip("/")
    digest = hashlib.sha256(f"{issuer}\0{subject}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"p{digest[:_ID_HEX]}"
