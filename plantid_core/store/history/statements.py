"""What is asked of the tables, on a connection that a transaction holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import sqlalchemy as sa

from plantid_core.errors import ObservationNotFound
from plantid_core.store.history import limits, records
from plantid_core.store.history.schema import answer, determination, observation, photo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from sqlalchemy import Connection

    from plantid_core.store.history.records import Row, Rows

V = TypeVar("V")

BATCH = 200
_OWNER_LOCK = 0x6F776E6572
_NEWEST_FIRST = (observation.c.made_at.desc(), observation.c.id.desc())


def this(owner: str, observation_id: str) -> sa.ColumnElement[bool]:
    """Return the condition of being an owner's observation; raises `ObservationNotFound` for no id."""
    # Postgres refuses some characters even in a question: what is no id is nobody's.
    if not limits.is_id(observation_id):
        raise ObservationNotFound
    own = observation.c.owner == limits.require_owner(owner)
    return sa.and_(own, observation.c.id == observation_id)


def number_of(connection: Connection, owner: str, observation_id: str) -> int:
    """Return an observation's own number, for a change; raises `ObservationNotFound`."""
    own = this(owner, observation_id)
    take_turns(connection, owner)
    found = connection.scalar(sa.select(observation.c.number).where(own))
    if found is None:
        raise ObservationNotFound
    return int(found)


def take_turns(connection: Connection, owner: str) -> None:
    """Let no other change what is the owner's until the transaction ends; SQLite's own lock does."""
    if connection.dialect.name == "postgresql":
        key = sa.func.hashtextextended(owner, _OWNER_LOCK)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def insert(connection: Connection, rows: Rows) -> bool:
    """Add an observation's rows, unless the owner has one of its id; return whether it was new."""
    own = this(rows.observation["owner"], rows.observation["id"])
    take_turns(connection, rows.observation["owner"])
    if connection.scalar(sa.select(observation.c.number).where(own)) is not None:
        return False
    made = connection.execute(sa.insert(observation).values(rows.observation))
    (number,) = cast("tuple[int]", made.inserted_primary_key)
    for table, parts in (
        (photo, rows.photos),
        (answer, rows.answers),
        (determination, rows.determinations),
    ):
        if parts:
            own_parts = [{**part, "observation": number} for part in parts]
            connection.execute(sa.insert(table), own_parts)
    return True


def rows_where(
    connection: Connection,
    conditions: Sequence[sa.ColumnElement[bool]],
    limit: int = 1,
    order: tuple[sa.ColumnElement[Any], ...] = _NEWEST_FIRST,
) -> list[Rows]:
    """Return the observations that fulfil all conditions, each with its parts in their order."""
    query = sa.select(observation).where(*conditions).order_by(*order).limit(limit)
    found = _mappings(connection, query)
    numbers = [row["number"] for row in found]
    photos, answers, determinations = (
        records.in_order(_parts(connection, table, numbers))
        for table in (photo, answer, determination)
    )
    return [
        records.Rows(
            row,
            tuple(photos.get(row["number"], ())),
            tuple(answers.get(row["number"], ())),
            tuple(determinations.get(row["number"], ())),
        )
        for row in found
    ]


def _parts(connection: Connection, table: sa.Table, numbers: Sequence[int]) -> Sequence[Row]:
    query = sa.select(table).where(table.c.observation.in_(numbers)).order_by(table.c.number)
    return _mappings(connection, query)


def _mappings(connection: Connection, query: sa.Select[Any]) -> Sequence[Row]:
    # The library's own keys are a kind of text that JSON does not take for one.
    found = connection.execute(query)
    names = [str(name) for name in found.keys()]  # noqa: SIM118 - a result is no mapping
    return [dict(zip(names, row, strict=True)) for row in found]


def see(
    connection: Connection, numbers: Sequence[int], photo_ids: set[str], cache_keys: set[str]
) -> None:
    """Add the observations' photos, and where their answers may be cached, to the sets."""
    photos = sa.select(photo.c.photo_id).where(photo.c.observation.in_(numbers))
    photo_ids.update(connection.scalars(photos))
    keys = sa.select(answer.c.cache_key).where(answer.c.observation.in_(numbers))
    cache_keys.update(key for key in connection.scalars(keys) if key)


def needed(connection: Connection, owner: str, photo_ids: Sequence[str]) -> set[str]:
    """Return those of the photos that an observation of the owner's has."""
    joined = sa.select(photo.c.photo_id).join_from(photo, observation)
    own = joined.where(observation.c.owner == owner)
    return {
        found
        for some in batches(photo_ids)
        for found in connection.scalars(own.where(photo.c.photo_id.in_(some)))
    }


def batches(values: Sequence[V]) -> Iterator[Sequence[V]]:
    """Yield the values, so many at a time as one statement can name."""
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
