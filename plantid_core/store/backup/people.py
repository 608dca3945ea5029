"""The people of a backup: who they are, and who of them is let in no more.

Tokens and the answers to requests that may come again (`schema.access_token`, `idempotency`) are in no
backup: brought back, what was revoked since would be good again. Nor is it kept which sign-ins were ended
(`ended_sign_in`): those that were ended later would be missing, so that a new key has to end them all.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.request import pathname2url

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from plantid_core.store.history import limits
from plantid_core.store.history.dump import closed, opened
from plantid_core.store.history.faults import explained
from plantid_core.store.history.schema import (
    LINE_LENGTH,
    OWNER_LENGTH,
    access_token,
    ended_sign_in,
    idempotency,
    person,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sqlalchemy import Connection, RowMapping

    from plantid_core.store.history.engine import Database

_ROLES = frozenset({"user", "admin"})
_MOST = {"issuer": LINE_LENGTH, "subject": OWNER_LENGTH, "name": OWNER_LENGTH}
_TIMES = ("made_at", "seen_at", "claimed_at")


@dataclass(slots=True)
class Loaded:
    """What `load_people` changed, by the people's ids."""

    added: set[str] = field(default_factory=set)
    deactivated: set[str] = field(default_factory=set)


def people_of(database: Database) -> list[dict[str, object]]:
    """Return everybody as JSON can hold them, in the order they came; raises `HistoryUnavailable`."""
    query = sa.select(person).order_by(person.c.number)
    rows = database.read(lambda one: one.execute(query).mappings().all())
    return [_opened(row) for row in rows]


def load_people(database: Database, told: Iterable[Mapping[str, Any]]) -> Loaded:
    """Add who is not there yet, and return what that changed.

    Whoever is there stays as they are, and is deactivated where either says so. Raises `LookupError`,
    `TypeError`, `ValueError` or `ObservationRefused` for what is no person, and `HistoryUnavailable`; nobody
    was added then.
    """
    brought = {row["id"]: row for row in map(_read, told)}
    loaded = Loaded()

    def work(connection: Connection) -> None:
        query = sa.select(person.c.id, person.c.active)
        there = {row.id: row.active for row in connection.execute(query)}
        for id_, row in brought.items():
            if id_ not in there:
                connection.execute(sa.insert(person), row)
                loaded.added.add(id_)
            elif there[id_] and not row["active"]:
                _set_active(connection, {id_}, active=False)
                loaded.deactivated.add(id_)

    database.write(work)
    return loaded


def take_back(database: Database, loaded: Loaded) -> None:
    """Undo what `load_people` changed."""

    def work(connection: Connection) -> None:
        for id_ in loaded.added:
            connection.execute(sa.delete(person).where(person.c.id == id_))
        _set_active(connection, loaded.deactivated, active=True)

    database.write(work)


def deactivated_in(path: Path) -> list[dict[str, object]] | None:
    """Return who is let in no more by a file of SQLite, which is not changed; None where it cannot be read.

    A file that is not there, or is older than the table, deactivates nobody.
    """
    if not path.is_file():
        return []
    address = f"file:{pathname2url(str(path.resolve()))}?mode=ro"
    engine = sa.create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=sa.NullPool
    )
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table(person.name):
                return []
            query = sa.select(person).where(person.c.active.is_(False))
            return [_opened(row) for row in connection.execute(query).mappings()]
    except (DBAPIError, ValueError):
        return None


def forget_secrets(database: Database) -> None:
    """Empty what no backup holds; raises `HistoryUnavailable`."""

    def work(connection: Connection) -> None:
        for table in (access_token, idempotency, ended_sign_in):
            connection.execute(sa.delete(table))

    database.write(work)


def compact(path: Path) -> None:
    """Write a file of SQLite anew that nobody uses, so that no page of what was deleted is left."""
    with explained(str(path)), closing(sqlite3.connect(path, isolation_level=None)) as copy:
        # No log beside it, in which something would be left.
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("VACUUM")


def _set_active(connection: Connection, ids: set[str], *, active: bool) -> None:
    for id_ in ids:
        own = sa.update(person).where(person.c.id == id_)
        connection.execute(own.values(active=active))


def _opened(row: RowMapping) -> dict[str, object]:
    return opened({str(name): value for name, value in row.items()})


def _read(told: Mapping[str, Any]) -> dict[str, Any]:
    row = closed(person, told)
    fits = limits.is_id(row["id"]) and row["role"] in _ROLES and row["issuer"] and row["subject"]
    for name, most in _MOST.items():
        fits = fits and len(row[name]) <= most and limits.clean(row[name]) == row[name]
    if not fits:
        reason = "no person"
        raise ValueError(reason)
    for name in _TIMES:
        if row[name] is not None:
            limits.require_time(name, row[name])
    return row
