"""When tokens were last used: noted in memory, and written behind the requests' back."""

from __future__ import annotations

import datetime as dt
import threading
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from plantid_core.errors import HistoryUnavailable
from plantid_core.store.history.schema import access_token

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from plantid_core.store.history.engine import Database

EVERY = dt.timedelta(minutes=1)
_GATHER_S = 0.5
_MOST = 10_000


class LastUsed:
    """Writes once a minute a token at most, what was noted meanwhile in one transaction.

    Where the database is away, it is written the next time that the token is used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._noted: dict[str, dt.datetime] = {}
        self._written: dict[str, dt.datetime] = {}
        self._writer: threading.Thread | None = None
        self._closing = threading.Event()

    def note(self, token_id: str, now: dt.datetime) -> None:
        """Note that a token was used; never waits for the database."""
        with self._lock:
            written = self._written.get(token_id)
            if (written is not None and now - written < EVERY) or len(self._noted) >= _MOST:
                return
            self._noted[token_id] = now
            if self._writer is None or not self._writer.is_alive():
                self._writer = threading.Thread(
                    target=self._write_soon, name="tokens-last-used", daemon=True
                )
                self._writer.start()

    def close(self) -> None:
        """Write what was noted."""
        self._closing.set()
        with self._lock:
            writer = self._writer
        if writer is not None:
            writer.join()
        self._closing.clear()

    def _write_soon(self) -> None:
        self._closing.wait(_GATHER_S)
        while noted := self._taken():
            try:
                self._database.write(partial(_write, noted))
            except HistoryUnavailable:
                with self._lock:
                    for token_id in noted:
                        self._written.pop(token_id, None)

    def _taken(self) -> dict[str, dt.datetime]:
        """Return what is to be written; nothing also tells that this writer is done."""
        with self._lock:
            noted, self._noted = self._noted, {}
            if not noted:
                self._writer = None
            if len(self._written) > _MOST:
                self._written.clear()
            self._written.update(noted)
            return noted


def _write(noted: dict[str, dt.datetime], connection: Connection) -> None:
    own = access_token.c.id == sa.bindparam("token")
    later = sa.or_(access_token.c.used_at.is_(None), access_token.c.used_at < sa.bindparam("at"))
    update = sa.update(access_token).where(own, later).values(used_at=sa.bindparam("at"))
    connection.execute(update, [{"token": one, "at": noted[one]} for one in sorted(noted)])
