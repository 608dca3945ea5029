"""`Repeats`: which requests were answered, so that one that is sent again is not done again."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from plantid_core.store.history import limits
from plantid_core.store.history.schema import idempotency

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, RowMapping

    from plantid_core.store.history.engine import Database

KEPT = dt.timedelta(days=1)

Held = Literal["under way", "another request"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A key that is the caller's to answer; ``mark`` tells this taking from any other."""

    owner: str
    key: str
    mark: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What the first request was answered."""

    status: int
    body: str


class Repeats:
    """The requests of a day by owner and key; any threads and processes may share the database.

    One that is under way for longer than ``patience_s`` seconds is taken to have died, and may be taken
    over: only the last one that took it can answer it. Every method raises `HistoryUnavailable`.
    """

    def __init__(
        self,
        database: Database,
        *,
        patience_s: float,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database, self._now = database, now
        self._patience = dt.timedelta(seconds=patience_s)

    def take(self, owner: str, key: str, fingerprint: str) -> Taken | Stored | Held:
        """Return the key, taken; else the answer it was given, or why it cannot be had.

        ``fingerprint`` is the request's: another one under the same key is refused for a day.
        """
        now = self._now()
        taken = Taken(limits.require_owner(owner), key, uuid.uuid4().hex)
        row = {"fingerprint": fingerprint, "made_at": now, "body": taken.mark}

        def work(connection: Connection) -> Taken | Stored | Held:
            connection.execute(sa.delete(idempotency).where(idempotency.c.made_at < now - KEPT))
            new = _unless_there(connection).values(owner=owner, key=key, **row)
            if connection.execute(new).rowcount == 1:
                return taken
            found = connection.execute(sa.select(idempotency).where(_of(owner, key)))
            return self._met(connection, taken, row, found.mappings().one_or_none())

        return self._database.write(work)

    def finish(self, taken: Taken, status: int, body: str) -> None:
        """Keep what was answered; nothing where another one has taken the key over."""
        change = sa.update(idempotency).where(_held(taken))
        self._database.write(lambda one: one.execute(change.values(status=status, body=body)))

    def release(self, taken: Taken) -> None:
        """Let the same key try again."""
        change = sa.delete(idempotency).where(_held(taken))
        self._database.write(lambda one: one.execute(change))

    def _met(
        self,
        connection: Connection,
        taken: Taken,
        wanted: Mapping[str, object],
        row: RowMapping | None,
    ) -> Taken | Stored | Held:
        if row is None:  # released in this very moment
            return "under way"
        if row["fingerprint"] != wanted["fingerprint"]:
            return "another request"
        if row["status"] is not None:
            return Stored(row["status"], row["body"])
        if row["body"] == taken.mark:  # the connection was lost after it was written
            return taken
        if self._now() - row["made_at"] <= self._patience:
            return "under way"
        former = Taken(taken.owner, taken.key, row["body"])
        change = sa.update(idempotency).where(_held(former)).values(wanted)
        return taken if connection.execute(change).rowcount == 1 else "under way"


def forget_answers(connection: Connection, owner: str) -> None:
    """Delete what the owner's requests were answered: it may tell of what they have deleted."""
    answered = idempotency.c.status.is_not(None)
    connection.execute(sa.delete(idempotency).where(idempotency.c.owner == owner, answered))


def _of(owner: str, key: str) -> sa.ColumnElement[bool]:
    return sa.and_(idempotency.c.owner == owner, idempotency.c.key == key)


def _held(taken: Taken) -> sa.ColumnElement[bool]:
    """Return the condition of being under way by this very taking; its mark stands for the body."""
    under_way = idempotency.c.status.is_(None)
    return sa.and_(_of(taken.owner, taken.key), under_way, idempotency.c.body == taken.mark)


def _unless_there(connection: Connection) -> sqlite.Insert | postgresql.Insert:
    if connection.dialect.name == "sqlite":
        return sqlite.insert(idempotency).on_conflict_do_nothing(index_elements=["owner", "key"])
    return postgresql.insert(idempotency).on_conflict_do_nothing(index_elements=["owner", "key"])
