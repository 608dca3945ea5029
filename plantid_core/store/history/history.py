"""`History`: what every owner observed, kept in a database, whole or not at all."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from plantid_core.errors import ObservationNotFound, PlantIDError
from plantid_core.store.history import limits, queries, records, statements
from plantid_core.store.history.dump import read_record, record_of
from plantid_core.store.history.engine import Database
from plantid_core.store.history.faults import explained, unavailable
from plantid_core.store.history.repeats import forget_answers
from plantid_core.store.history.schema import determination, observation
from plantid_core.store.history.values import Filter, Forgotten, Page

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, Self

    from sqlalchemy import Connection

    from plantid_core.settings import Settings
    from plantid_core.store.history.records import Rows
    from plantid_core.store.history.values import Circumstances, Determination, Observed

FILE_NAME = "history.sqlite"
_MOST_A_PAGE = 500
_ALL = Filter()


def open_database(settings: Settings) -> Database:
    """Return the database that the settings name; it connects on first use.

    Postgres where ``database_url`` says so, else a file of SQLite in the data directory. Raises
    `ConfigurationError` for an address that cannot be used.
    """
    if settings.database_url is not None:
        return Database(settings.database_url.get_secret_value())
    return Database(settings.data_dir / FILE_NAME)


def open_history(settings: Settings) -> History:
    """Return the history in the database that the settings name; raises what `open_database` does."""
    return History(open_database(settings))


class History:
    """The observations in one database; any threads and processes may share it.

    Nobody reaches another owner's: each method that names an owner sees that owner's only. Every
    method may raise `HistoryUnavailable`, and `ObservationRefused` for what cannot be kept. ``where``
    is the path of a file of SQLite, an address (a change waits for others up to ``wait_s`` seconds), or
    a database that others use too.
    """

    def __init__(self, where: Path | str | Database, *, wait_s: float = 10.0) -> None:
        self._database = where if isinstance(where, Database) else Database(where, wait_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def path(self) -> Path | None:
        """Return the file of SQLite, None for a Postgres."""
        return self._database.path

    @property
    def database(self) -> Database:
        """Return the database, in which there is more than observations."""
        return self._database

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def add(self, observed: Observed, cache_keys: Mapping[str, str] | None = None) -> bool:
        """Keep an observation, and return whether it is new: one of this id is kept as it was.

        ``cache_keys`` tells, by provider, where its answers may be cached.
        """
        return self.add_many([(observed, cache_keys or {})]) == 1

    def add_many(self, kept: Sequence[tuple[Observed, Mapping[str, str]]]) -> int:
        """Keep observations, each with its ``cache_keys``, in one transaction; return how many are new.

        Where one of them cannot be kept, none is.
        """
        whole = []
        for observed, cache_keys in kept:
            limits.require_observed(observed)
            limits.require_cache_keys(cache_keys.values())
            whole.append(records.rows_of(observed, cache_keys))
        return self._database.write(lambda connection: statements.insert(connection, whole))

    def get(self, owner: str, observation_id: str) -> Observed:
        """Return an observation; raises `ObservationNotFound`."""
        own = [statements.this(owner, observation_id)]
        found = self._database.read(lambda connection: statements.rows_where(connection, own))
        if not found:
            raise ObservationNotFound
        return self._observed(found[0])

    def find(
        self, owner: str, wanted: Filter = _ALL, *, limit: int = 50, after: str | None = None
    ) -> Page:
        """Return up to ``limit`` (1–500) of those wanted, newest first.

        ``after`` is the page's before; what is added meanwhile shifts nothing. A provider is wanted
        where it named something.
        """
        limit = min(max(1, limit), _MOST_A_PAGE)
        all_wanted = queries.conditions(limits.require_owner(owner), wanted)
        here = all_wanted if after is None else [*all_wanted, queries.beyond(after)]
        count = sa.select(sa.func.count()).select_from(observation).where(*all_wanted)

        def work(connection: Connection) -> tuple[list[Rows], int]:
            return statements.rows_where(connection, here, limit + 1), connection.scalar(count) or 0

        found, total = self._database.read(work)
        page = tuple(self._observed(rows) for rows in found[:limit])
        return Page(page, total, queries.mark(page[-1]) if len(found) > limit else None)

    def all(self, owner: str, wanted: Filter = _ALL) -> Iterator[Observed]:
        """Yield all that are wanted, newest first, holding some hundreds at a time."""
        after: str | None = None
        while True:
            page = self.find(owner, wanted, limit=statements.BATCH, after=after)
            yield from page.observations
            if (after := page.after) is None:
                return

    def determine(self, owner: str, observation_id: str, made: Determination) -> None:
        """Add a determination, unless one of its id is there; raises `ObservationNotFound`."""
        limits.require_determination(made)
        row = records.determination_row(made)

        def work(connection: Connection) -> None:
            number = statements.number_of(connection, owner, observation_id)
            same = sa.and_(determination.c.observation == number, determination.c.id == made.id)
            if connection.scalar(sa.select(determination.c.number).where(same)) is None:
                connection.execute(sa.insert(determination), {**row, "observation": number})

        self._database.write(work)

    def describe(self, owner: str, observation_id: str, circumstances: Circumstances) -> None:
        """Replace where, when and by whom it was seen; raises `ObservationNotFound`."""
        limits.require_circumstances(circumstances)
        row = records.circumstances_row(circumstances)

        def work(connection: Connection) -> None:
            number = statements.number_of(connection, owner, observation_id)
            own = sa.update(observation).where(observation.c.number == number)
            connection.execute(own.values(row))

        self._database.write(work)

    def delete(self, owner: str, ids: Iterable[str]) -> Forgotten:
        """Delete those of the ids that the owner keeps, all at once."""
        own = observation.c.owner == limits.require_owner(owner)
        named = sorted(one for one in set(ids) if limits.is_id(one))
        some = [sa.and_(own, observation.c.id.in_(some)) for some in statements.batches(named)]
        return self._forget(owner, some)

    def delete_all(self, owner: str) -> Forgotten:
        """Delete all that the owner keeps."""
        return self._forget(owner, [observation.c.owner == limits.require_owner(owner)])

    def expire(self, older_than: dt.datetime) -> dict[str, Forgotten]:
        """Delete what was made before a time, and return what that took, by owner."""
        old = observation.c.made_at < older_than
        query = sa.select(observation.c.owner).where(old).distinct()
        owners = self._database.read(lambda connection: connection.scalars(query).all())
        return {
            owner: self._forget(owner, [sa.and_(observation.c.owner == owner, old)])
            for owner in sorted(owners)
        }

    def owners(self) -> tuple[str, ...]:
        """Return everybody who keeps something."""
        query = sa.select(observation.c.owner).distinct()
        return tuple(sorted(self._database.read(lambda one: one.scalars(query).all())))

    def photo_ids(self, owner: str) -> set[str]:
        """Return the photos of all that the owner keeps."""
        limits.require_owner(owner)
        return self._database.read(lambda connection: statements.photo_ids(connection, owner))

    def snapshot(self, path: Path) -> None:
        """Copy the file of SQLite as it is now, while others use it (its online backup).

        The copy, readable by its owner alone, is there whole or not at all. A Postgres has its own
        ways (pg_dump), or `dump`: for it this raises `PlantIDError`.
        """
        if self.path is None:
            raise PlantIDError(
                "Only a file can be copied; take a Postgres with pg_dump, or `dump`."
            )
        self._database.open()
        with explained(str(path)):
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
            os.close(descriptor)
        try:
            with (
                explained(self._database.place),
                closing(sqlite3.connect(self.path)) as source,
                closing(sqlite3.connect(name)) as copy,
            ):
                source.backup(copy)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)

    def dump(self) -> Iterator[dict[str, object]]:
        """Yield every owner's observations as JSON objects, oldest first, all of one moment.

        The same from either database, for `load` to read. Close it, where it is not read to its end.
        """
        last = 0
        with self._database.reading() as connection:
            while True:
                newer = [observation.c.number > last]
                found = statements.rows_where(
                    connection, newer, statements.BATCH, order=(observation.c.number,)
                )
                for rows in found:
                    # Read as well, so that nothing is dumped that could not be loaded.
                    self._observed(rows)
                    yield record_of(rows)
                if not found:
                    return
                last = found[-1].observation["number"]

    def load(self, dumped: Iterable[Mapping[str, Any]]) -> int:
        """Add what `dump` yielded, and return how many are new; raises `ObservationRefused`."""
        added = 0
        for record in dumped:
            observed, cache_keys = read_record(record)
            added += self.add(observed, cache_keys)
        return added

    def _forget(self, owner: str, conditions: Sequence[sa.ColumnElement[bool]]) -> Forgotten:
        """Delete what fulfils any of the conditions, in one transaction."""
        numbers: set[int] = set()
        photo_ids: set[str] = set()
        cache_keys: set[str] = set()

        def work(connection: Connection) -> Forgotten:
            # Run twice where the connection was lost: what the first run saw is not seen again.
            statements.take_turns(connection, owner)
            found = [
                number
                for condition in conditions
                for number in connection.scalars(sa.select(observation.c.number).where(condition))
            ]
            numbers.update(found)
            if found:
                forget_answers(connection, owner)
            for some in statements.batches(found):
                statements.see(connection, some, photo_ids, cache_keys)
                gone = sa.delete(observation).where(observation.c.number.in_(some))
                connection.execute(gone)
            unneeded = photo_ids - statements.needed(connection, owner, sorted(photo_ids))
            return Forgotten(len(numbers), tuple(sorted(unneeded)), tuple(sorted(cache_keys)))

        forgotten = self._database.write(work)
        if forgotten.observations:
            self._database.checkpoint()
        return forgotten

    def _observed(self, rows: Rows) -> Observed:
        try:
            return records.observed_of(rows)
        except ValueError:
            # Outside the clause, so that the row, which is a person's own, is not chained.
            id_ = rows.observation["id"]
        raise unavailable("damaged", f"{self._database.place}, observation {id_}")
