"""`SignIns`: which sign-ins were ended, so that a copy of their cookie is good no more.

OWASP ASVS 5.0, 7.4.1: a session that was ended cannot be used again. The cookie carries the claims and is
kept nowhere, so what is kept is who ended one, and when that one had begun.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import sqlalchemy as sa

from plantid_core.access.rows import insert_new
from plantid_core.store.history.schema import ended_sign_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from plantid_core.store.history.engine import Database

# No cookie of a sign-in is good for longer than thirty days.
KEPT = dt.timedelta(days=31)


class SignIns:
    """The ended sign-ins in one database; any threads and processes may share it.

    A sign-in is a person's id and the time at which the sign-in service says that it began. Every method
    may raise `HistoryUnavailable`; whoever keeps decisions is told through ``on_change``.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._database, self._now = database, now
        self.on_change: list[Callable[[], None]] = []

    def end(self, person_id: str, began_at: dt.datetime) -> None:
        """End one sign-in; to end it again changes nothing."""
        now = self._now()
        row = {"person": person_id, "began_at": began_at, "ended_at": now}

        def work(connection: Connection) -> None:
            long_over = ended_sign_in.c.ended_at < now - KEPT
            connection.execute(sa.delete(ended_sign_in).where(long_over))
            insert_new(connection, ended_sign_in, row)

        self._database.write(work)
        for tell in self.on_change:
            tell()

    def is_over(self, person_id: str, began_at: dt.datetime) -> bool:
        """Tell whether a sign-in was ended."""
        its = (ended_sign_in.c.person == person_id) & (ended_sign_in.c.began_at == began_at)
        query = sa.select(sa.exists().where(its))
        return bool(self._database.read(lambda one: one.execute(query).scalar_one()))
