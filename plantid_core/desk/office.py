"""`Office`: tokens and people, each method with its action."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plantid_core.access.people import Person
    from plantid_core.access.tokens import Token
    from plantid_core.desk.desk import Desk


class Office:
    """Who is known here and what lets programs in; see `access.people` and `access.tokens`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def tokens(self) -> tuple[Token, ...]:
        """Return their own tokens."""
        owner = self._desk.owner_for("tokens.list")
        return self._desk.workbench_for("tokens.list").access.tokens.list(owner)

    def all_tokens(self) -> tuple[Token, ...]:
        """Return everybody's tokens."""
        self._desk.require("operations.see")
        return self._desk.workbench_for("tokens.list").access.tokens.list()

    def create_token(
        self, owner: str, scopes: Iterable[str], days: float, label: str = ""
    ) -> tuple[Token, str]:
        """Make a token for somebody, and return it with its word, which nobody can read again."""
        access = self._desk.workbench_for("tokens.create").access
        return access.tokens.create(owner, scopes, days, label)

    def revoke_token(self, token_id: str) -> Token:
        """End a token; raises `TokenUnknown`."""
        tokens = self._desk.workbench_for("tokens.revoke").access.tokens
        self._desk.require("tokens.revoke", tokens.get(token_id).owner)
        return tokens.revoke(token_id)

    def people(self) -> tuple[Person, ...]:
        """Return everybody who has signed in or was registered."""
        return self._desk.workbench_for("people.list").access.people.all()

    def activate(self, person_id: str) -> Person:
        """Let somebody in again; raises `PersonUnknown`."""
        return self._desk.workbench_for("people.change").access.people.activate(person_id)

    def deactivate(self, person_id: str) -> Person:
        """Let somebody in no more, at once; raises `PersonUnknown`."""
        return self._desk.workbench_for("people.change").access.people.deactivate(person_id)
