"""`People`: one row a person, however many look at once; roles and times are kept up."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from plantid_core.access.principal import ANONYMOUS, Principal, owner_of
from plantid_core.access.registry import Registry
from plantid_core.errors import AccessUnfit, PersonUnknown, PlantIDError
from plantid_core.store.history.engine import Database
from plantid_core.store.history.schema import person

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from plantid_core.settings import Settings

ISSUER = "https://issuer.example"
AGO = dt.timedelta(minutes=2)


def last_seen(database: Database, ago: dt.timedelta) -> None:
    """Set the time when everybody was last here back."""
    long_ago = sa.update(person).values(seen_at=dt.datetime.now(dt.UTC) - ago)
    database.write(lambda connection: connection.execute(long_ago))


def test_somebody_new_is_made_on_first_sight(registry: Registry) -> None:
    """And found by id and by subject."""
    before = dt.datetime.now(dt.UTC)

    ann = registry.people.seen(ISSUER, "ann", name="Ann \0Nyman")

    assert (ann.name, ann.role, ann.active) == ("Ann Nyman", "user", True)
    assert ann.id == owner_of(ISSUER, "ann")
    assert ann.seen_at is not None
    assert ann.seen_at >= before
    assert ann.principal == Principal("person", "user", ann.id)
    assert registry.people.get(ann.id) == registry.people.find("ann") == ann
    assert registry.people.all() == (ann,)


def test_many_at_once_make_one_row(
    registry: Registry, elsewhere: Registry, database: Database
) -> None:
    """From two processes' connections."""
    database.open()
    ready = Barrier(8)

    def look(n: int) -> str:
        ready.wait()
        return (registry, elsewhere)[n % 2].people.seen(ISSUER, "ann", name=f"Ann {n}").id

    with ThreadPoolExecutor(8) as crowd:
        ids = set(crowd.map(look, range(8)))

    assert ids == {person.id for person in registry.people.all()} == {owner_of(ISSUER, "ann")}


def test_it_is_noted_once_a_minute(registry: Registry, database: Database) -> None:
    """Then with what the sign-in service says by now."""
    first = registry.people.seen(ISSUER, "ann", name="Ann")
    assert registry.people.seen(ISSUER, "ann", name="Anna", role="admin") == replace(
        first, role="admin"
    )
    assert registry.people.get(first.id) == first

    last_seen(database, AGO)
    again = registry.people.seen(ISSUER, "ann", name="Anna", role="admin")

    assert again == registry.people.get(first.id)
    assert (again.name, again.role) == ("Anna", "admin")
    assert again.seen_at is not None
    assert first.seen_at is not None
    assert again.seen_at > first.seen_at


def test_a_role_is_lost_at_once(registry: Registry) -> None:
    """Tokens act with the role that is kept."""
    registry.people.seen(ISSUER, "ann", role="admin")

    registry.people.seen(ISSUER, "ann", role="user")

    assert registry.people.find("ann").role == "user"


def test_whoever_is_listed_is_an_admin(registry: Registry) -> None:
    """Before the first sign-in, and whatever is claimed."""
    assert registry.people.register(ISSUER, "root").role == "admin"
    assert registry.people.register("https://other.example", "root").role == "user"
    assert registry.people.seen(ISSUER, "root", role="user").role == "admin"


def test_to_register_somebody_changes_nobody(registry: Registry) -> None:
    """They have not been here by that."""
    new = registry.people.register(ISSUER, "new")
    ann = registry.people.seen(ISSUER, "ann", name="Ann", role="admin")

    assert new.seen_at is None
    assert registry.people.register(ISSUER, "ann") == ann


def test_a_deactivated_person_is_nobody(registry: Registry) -> None:
    """Also when they come again, until they are let in again."""
    ann = registry.people.seen(ISSUER, "ann")

    assert not registry.people.deactivate(ann.id).active
    assert registry.people.seen(ISSUER, "ann").principal == ANONYMOUS
    assert registry.people.activate(ann.id).active
    assert registry.people.seen(ISSUER, "ann").principal.owner == ann.id


def test_nobody_else_is_found(registry: Registry) -> None:
    """Whatever is asked for."""
    people = registry.people
    for who in ("ben", "", "a\0b", "x" * 300, "\ud800", "p" + "0" * 32):
        for look in (people.find, people.get, people.activate, people.deactivate):
            with pytest.raises(PersonUnknown) as failed:
                look(who)
            assert len(str(failed.value)) < 500


def test_two_of_one_subject_are_told_apart_by_id(registry: Registry) -> None:
    """For their issuers are not the same."""
    one = registry.people.register(ISSUER, "ann")
    other = registry.people.register("https://other.example", "ann")

    with pytest.raises(PlantIDError, match=one.id):
        registry.people.find("ann")
    assert registry.people.find(other.id) == other


def test_what_is_no_identity_is_refused(registry: Registry) -> None:
    """And makes nobody."""
    for issuer, subject, field in (
        ("/", "a", "issuer"),
        (ISSUER, "", "subject"),
        (ISSUER, "x" * 256, "subject"),
        (ISSUER, "a\0", "subject"),
    ):
        with pytest.raises(AccessUnfit) as refused:
            registry.people.seen(issuer, subject)
        assert refused.value.field == field

    assert registry.people.all() == ()


def test_whom_we_know_is_let_in_while_nothing_can_be_written(
    signing_in: Settings, url: str, database: Database
) -> None:
    """Somebody else holds the table."""
    with closing(Database(url, wait_s=0.1)) as impatient:
        people = Registry(signing_in, impatient).people
        people.seen(ISSUER, "ann", role="admin")
        last_seen(database, AGO)

        def hold(connection: Connection) -> str:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("LOCK TABLE person IN EXCLUSIVE MODE"))
            return people.seen(ISSUER, "ann", role="user").role

        assert database.write(hold) == "user"


def test_an_earlier_sign_in_gives_no_role_back(registry: Registry, database: Database) -> None:
    """A browser that still holds the claim of a former day is no admin, nor are its owner's tokens."""
    before = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    since = before + dt.timedelta(hours=1)
    people = registry.people
    assert people.seen(ISSUER, "ann", role="admin", claimed_at=before).role == "admin"
    people.seen(ISSUER, "ann", name="Ann", role="user", claimed_at=since)

    for claimed_at in (before, None):
        last_seen(database, AGO)
        old = people.seen(ISSUER, "ann", name="Former", role="admin", claimed_at=claimed_at)
        assert (old.role, old.name) == ("user", "Ann")

    assert people.find("ann").role == "user"
    assert people.seen(ISSUER, "ann", role="admin", claimed_at=since).role == "admin"


def test_an_earlier_sign_in_takes_no_role_away(registry: Registry) -> None:
    """Whoever was made an admin since signs in anew in that browser; elsewhere they are one."""
    before = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
    people = registry.people
    people.seen(ISSUER, "ann", role="admin", claimed_at=before + dt.timedelta(hours=1))

    assert people.seen(ISSUER, "ann", role="user", claimed_at=before).role == "user"
    assert people.find("ann").role == "admin"
