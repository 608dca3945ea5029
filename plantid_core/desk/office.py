"""`Office`: tokens and people, each method with its action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.telemetry import tell

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plantid_core.access.people import Person
    from plantid_core.access.tokens import Token
    from plantid_core.desk.desk import Desk


class Office:
    """Who is known here and what lets programs in; see `access.people` and `access.tokens`.

    What changes it is logged, with whoever did it; people and tokens by their ids.
    """

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
        token, word = access.tokens.create(owner, scopes, days, label)
        self._note("token_created", token=token.id, owner=token.owner, scopes=sorted(token.scopes))
        return token, word

    def revoke_token(self, token_id: str) -> Token:
        """End a token; raises `TokenUnknown`."""
        tokens = self._desk.workbench_for("tokens.revoke").access.tokens
        self._desk.require("tokens.revoke", tokens.get(token_id).owner)
        revoked = tokens.revoke(token_id)
        self._note("token_revoked", token=revoked.id, owner=revoked.owner)
        return revoked

    def people(self) -> tuple[Person, ...]:
        """Return everybody who has signed in or was registered."""
        return self._desk.workbench_for("people.list").access.people.all()

    def activate(self, person_id: str) -> Person:
        """Let somebody in again; raises `PersonUnknown`."""
        person = self._desk.workbench_for("people.change").access.people.activate(person_id)
        self._note("person_activated", owner=person.id)
        return person

    def deactivate(self, person_id: str) -> Person:
        """Let somebody in no more, at once; raises `PersonUnknown`."""
        person = self._desk.workbench_for("people.change").access.people.deactivate(person_id)
        self._note("person_deactivated", owner=person.id)
        return person

    def _note(self, event: str, **what: object) -> None:
        tell(event, by=self._desk.owner, **what)
