"""What is asked of the tables, on a connection that a transaction holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa

from plantid_core.errors import ObservationNotFound
from plantid_core.store.history import limits, records
from plantid_core.store.history.schema import answer, determination, observation, photo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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


def insert(connection: Connection, kept: Sequence[Rows]) -> int:
    """Add observations' rows, unless their owner has one of the id; return how many were new."""
    by_owner: dict[str, dict[str, Rows]] = {}
    for rows in kept:
        by_owner.setdefault(rows.observation["owner"], {}).setdefault(rows.observation["id"], rows)
    # In one order everywhere, so that two who take several owners' turns do not wait for each other.
    for owner in sorted(by_owner):
        take_turns(connection, owner)
    return sum(_insert(connection, owner, some) for owner, some in by_owner.items())


def _insert(connection: Connection, owner: str, kept: Mapping[str, Rows]) -> int:
    known = numbers_of(connection, owner, list(kept))
    new = {id_: rows for id_, rows in kept.items() if id_ not in known}
    if not new:
        return 0
    connection.execute(sa.insert(observation), [rows.observation for rows in new.values()])
    numbers = numbers_of(connection, owner, list(new))
    for table, parts in (
        (photo, [(id_, rows.photos) for id_, rows in new.items()]),
        (answer, [(id_, rows.answers) for id_, rows in new.items()]),
        (determination, [(id_, rows.determinations) for id_, rows in new.items()]),
    ):
        # Observation by observation, each one's in their order: that is the order they are read in.
        own_parts = [{**part, "observation": numbers[id_]} for id_, some in parts for part in some]
        if own_parts:
            connection.execute(sa.insert(table), own_parts)
    return len(new)


def numbers_of(connection: Connection, owner: str, ids: Sequence[str]) -> dict[str, int]:
    """Return the own number of each of the owner's observations among these ids."""
    query = sa.select(observation.c.id, observation.c.number).where(observation.c.owner == owner)
    return {
        id_: number
        for some in batches(ids)
        for id_, number in connection.execute(query.where(observation.c.id.in_(some)))
    }


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


def photo_ids(connection: Connection, owner: str) -> set[str]:
    """Return the photos of all that the owner keeps."""
    joined = sa.select(photo.c.photo_id).join_from(photo, observation)
    return set(connection.scalars(joined.where(observation.c.owner == owner).distinct()))


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
