"""Permissions: pure predicates of one request, composed with ``&``, ``|`` and ``~``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.access.principal import Principal

Environment = Literal["development", "production"]


@dataclass(frozen=True, slots=True)
class Access:
    """One request: by whom, whether it only reads, whose thing it is about (None: nobody's)."""

    principal: Principal
    environment: Environment
    reads: bool = True
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """A predicate with a name that people read; combinations name themselves."""

    name: str
    allows: Callable[[Access], bool]

    def __and__(self, other: Permission) -> Permission:
        return Permission(
            f"{self._inner} & {other._inner}", lambda one: self.allows(one) and other.allows(one)
        )

    def __or__(self, other: Permission) -> Permission:
        return Permission(
            f"{self.name} | {other.name}", lambda one: self.allows(one) or other.allows(one)
        )

    def __invert__(self) -> Permission:
        name = f"({self.name})" if " " in self.name else self.name
        return Permission(f"~{name}", lambda one: not self.allows(one))

    @property
    def _inner(self) -> str:
        return f"({self.name})" if "|" in self.name else self.name


def _authenticated(access: Access) -> bool:
    return access.principal.kind != "anonymous"


def _owns(access: Access) -> bool:
    return access.owner is not None and access.owner == access.principal.owner


AllowAny = Permission("AllowAny", lambda _: True)
DenyAll = Permission("DenyAll", lambda _: False)
IsAuthenticated = Permission("IsAuthenticated", _authenticated)
IsToken = Permission("IsToken", lambda one: one.principal.kind == "token")
IsAdmin = Permission("IsAdmin", lambda one: one.principal.role == "admin")
IsAuthenticatedOrReadOnly = Permission(
    "IsAuthenticatedOrReadOnly", lambda one: one.reads or _authenticated(one)
)
IsOwner = Permission("IsOwner", _owns)
IsOwnerOrReadOnly = Permission("IsOwnerOrReadOnly", lambda one: one.reads or _owns(one))
InDevelopment = Permission("InDevelopment", lambda one: one.environment == "development")
