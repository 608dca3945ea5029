"""Tokens and people, as whoever may change them does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from plantid_core.access.principal import LOCAL
from plantid_core.desk import Desk

if TYPE_CHECKING:
    from plantid_core import Workbench


def test_who_changed_what_is_logged_by_ids(workbench: Workbench) -> None:
    """Of a token its word is told to nobody but whoever made it."""
    person = workbench.access.people.register("https://id.example.org", "ann")
    office = Desk(workbench, LOCAL).office

    with capture_logs() as lines:
        token, word = office.create_token(person.id, ["identify"], 7, "a laptop")
        office.revoke_token(token.id)
        office.deactivate(person.id)
        office.activate(person.id)

    assert [(line["event"], line["by"], line["owner"]) for line in lines] == [
        ("token_created", "local", person.id),
        ("token_revoked", "local", person.id),
        ("person_deactivated", "local", person.id),
        ("person_activated", "local", person.id),
    ]
    assert word not in str(lines)
