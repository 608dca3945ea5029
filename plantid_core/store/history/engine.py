"""The way to the database: a file of SQLite, or a Postgres; transactions, and what is tried again.

SQLite runs in WAL mode, so that reading waits for nobody, with ``synchronous=FULL``: what was
acknowledged survives a power cut too (NORMAL, in WAL mode, may lose the last commits). A person's
decision is worth the one flush.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from plantid_core.errors import ConfigurationError, HistoryUnavailable
from plantid_core.store.history.faults import explained, unavailable
from plantid_core.store.history.migrate import migrate, version
from plantid_core.store.history.schema import HEAD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg
    from sqlalchemy import Connection, Engine

T = TypeVar("T")

_CONNECT_S = 5
_STATEMENT_S = 60
_POOL, _MORE = 5, 15
_POLL_S = 0.02
# Engines of the process we were forked from: closing one would end its connections, not ours.
_abandoned: list[Engine] = []


class Database:
    """One database, opened and brought to the newest schema on first use; threads may share it.

    A write waits for others up to ``wait_s`` seconds. Every method raises `HistoryUnavailable`.
    """

    def __init__(self, where: Path | str, wait_s: float = 10.0) -> None:
        self._url = _checked(where) if isinstance(where, str) else _of_file(where)
        self._wait_s = wait_s
        self.path = Path(self._url.database or "") if _is_sqlite(self._url) else None
        self.place = _place(self._url)
        self._opening = threading.Lock()
        self._engine: Engine | None = None
        self._process = os.getpid()

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what ``work`` finds, all in one state of the database."""
        return self._run(work, writes=False)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Do the work whole or not at all.

        Where the connection is lost it is done once more, on a new one, though it may have been done
        already: it must be such that this changes nothing.
        """
        return self._run(work, writes=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection on which one state of the database is read, for as long as it is held."""
        with explained(self.place), self._transaction(writes=False) as connection:
            yield connection

    def open(self) -> None:
        """Connect, and bring the schema up to date; nothing where that was done."""
        with explained(self.place):
            self._opened()

    def checkpoint(self) -> None:
        """Move what SQLite's log holds into its file, and empty the log; later, where others read."""
        if self.path is None:
            return
        with (
            suppress(HistoryUnavailable),
            explained(self.place),
            self._opened().connect() as connection,
        ):
            connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            # The connection goes back to the pool, where others expect it to wait.
            connection.exec_driver_sql(_busy_timeout(self._wait_s))

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        engine, self._engine = self._engine, None
        if engine is not None and self._process == os.getpid():
            engine.dispose()

    def _run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        with explained(self.place):
            try:
                with self._transaction(writes=writes) as connection:
                    return work(connection)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            # It was lost, and with it all that lay in the pool: one attempt on a new connection.
            with self._transaction(writes=writes) as connection:
                return work(connection)

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        with _options(self._opened().connect(), writes=writes) as connection, connection.begin():
            yield connection

    def _opened(self) -> Engine:
        if self._process != os.getpid():
            if self._engine is not None:
                _abandoned.append(self._engine)
            self._engine, self._opening, self._process = None, threading.Lock(), os.getpid()
        if (opened := self._engine) is not None:
            return opened
        with self._opening:
            if self._engine is None:
                self._engine = self._make()
            return self._engine

    def _make(self) -> Engine:
        if self.path is not None:
            _make_private(self.path)
        engine = _engine(self._url, self._wait_s)
        try:
            with _options(engine.connect(), writes=False) as connection, connection.begin():
                found = version(connection)
            if found != HEAD:
                with _options(engine.connect(), writes=True) as connection, connection.begin():
                    migrate(connection, self.place)
        except BaseException:
            engine.dispose()
            raise
        return engine


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _of_file(path: Path) -> URL:
    return URL.create("sqlite", database=str(path.absolute()))


def _checked(text: str) -> URL:
    """Return the address with our driver; raises `ConfigurationError`, which does not quote it."""
    fault = (
        "PLANTID_DATABASE_URL must be like postgresql://user@host/name or sqlite:////path/to/file"
    )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = URL.create("")
    if url.drivername == "sqlite" and url.database and not url.query:
        if url.database != ":memory:" and not url.database.startswith("file:"):
            return url
        fault = "PLANTID_DATABASE_URL must name a file, for an observation is to be kept"
    if url.drivername in {"postgresql", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    raise ConfigurationError([fault])


def _place(url: URL) -> str:
    if _is_sqlite(url):
        return str(url.database)
    host = url.host or url.query.get("host") or "this machine"
    return f"Postgres, {url.database} on {host if isinstance(host, str) else ', '.join(host)}"


def _engine(url: URL, wait_s: float) -> Engine:
    options = (
        {} if _is_sqlite(url) or "connect_timeout" in url.query else {"connect_timeout": _CONNECT_S}
    )
    engine = sa.create_engine(
        url,
        connect_args=options,
        pool_size=_POOL,
        max_overflow=_MORE,
        pool_timeout=wait_s,
        hide_parameters=True,
    )
    if _is_sqlite(url):
        # Many rows in one statement: row by row, the interpreter changes hands as often.
        engine.dialect.use_insertmanyvalues_wo_returning = True

        @event.listens_for(engine, "connect")
        def _(connection: sqlite3.Connection, _record: object) -> None:
            _prepare_sqlite(connection, wait_s)

        @event.listens_for(engine, "begin")
        def _(connection: Connection) -> None:
            # A transaction that first reads and then writes could not wait for its turn.
            kind = "IMMEDIATE" if connection.get_execution_options().get("writes") else "DEFERRED"
            connection.exec_driver_sql(f"BEGIN {kind}")
    else:

        @event.listens_for(engine, "connect")
        def _(connection: psycopg.Connection, _record: object) -> None:
            _prepare_postgres(connection, wait_s)
            if connection.info.parameter_status("server_encoding") != "UTF8":
                raise unavailable("encoding", _place(url))

    return engine


def _options(connection: Connection, *, writes: bool) -> Connection:
    if connection.dialect.name == "sqlite":
        return connection.execution_options(writes=writes)
    level = "READ COMMITTED" if writes else "REPEATABLE READ"
    return connection.execution_options(isolation_level=level)


def _prepare_sqlite(connection: sqlite3.Connection, wait_s: float) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    connection.execute(_busy_timeout(wait_s))
    _use_wal(connection, time.monotonic() + wait_s)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What a person has deleted is overwritten, and not only forgotten.
    connection.execute("PRAGMA secure_delete = ON")


def _busy_timeout(wait_s: float) -> str:
    return f"PRAGMA busy_timeout = {int(wait_s * 1e3)}"


def _use_wal(connection: sqlite3.Connection, until: float) -> None:
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # For this one lock SQLite does not wait by itself: several may open a new file at once.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(_POLL_S)


def _prepare_postgres(connection: psycopg.Connection, wait_s: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {int(wait_s * 1e3)}")
        cursor.execute(f"SET statement_timeout = {_STATEMENT_S * 1000}")
        cursor.execute("SET client_encoding = 'UTF8'")
    connection.commit()


def _make_private(path: Path) -> None:
    """Make the file, readable by its owner alone; SQLite gives its log the file's own mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    # Made by hand, or under another umask: only its owner can mend that.
    with suppress(PermissionError):
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
