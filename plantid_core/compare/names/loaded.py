"""The table of names that a user loaded: an SQLite file in the data directory, read only."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from plantid_core.compare.names.tables import Accepted, Usage
from plantid_core.telemetry import tell

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE_NAME = "names.sqlite"
FORMAT = 1
SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE families (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE names (
  id NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, rank TEXT NOT NULL, authorship TEXT,
  family INTEGER, accepted, synonym INTEGER NOT NULL
);
"""
INDEXES = """
CREATE INDEX names_by_key ON names (key);
CREATE INDEX names_by_id ON names (id);
"""

_LOOK_EVERY_S = 1.0
_MOST_STEPS = 8
_COLUMNS = "SELECT n.id, n.name, n.rank, n.authorship, f.name, n.accepted, n.synonym FROM names n"
_JOIN = "LEFT JOIN families f ON f.id = n.family"
_BY_KEY = f"{_COLUMNS} {_JOIN} WHERE n.key = ?"
_BY_ID = f"{_COLUMNS} {_JOIN} WHERE n.id = ? LIMIT 1"
_FAMILY = f"{_COLUMNS} {_JOIN} WHERE n.key = ? AND n.rank = 'genus' AND NOT n.synonym"

_Row = tuple[int | str, str, str, str | None, str | None, int | str | None, int]


class Loaded:
    """The file at ``path``, which may come, change and go; without it, no name is known.

    Safe to be used by any threads. A file that cannot be read is told of once and left alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._gbif = False
        self._seen: tuple[int, int, int] | None = None
        self._edition = 0
        self._look_again = 0.0
        self._closed = False

    def edition(self) -> int:
        """Return a number that changes with the file; looks at the disk once a second at most."""
        if time.monotonic() >= self._look_again:
            with self._lock:
                self._renew()
        return self._edition

    def usages(self, key: str) -> Sequence[Usage]:
        """Return every name of that key."""
        with self._lock:
            return [self._usage(row) for row in self._rows(_BY_KEY, key)]

    def usage_of_gbif(self, gbif_id: int) -> Usage | None:
        """Return the name of that id, where the file is GBIF's backbone."""
        with self._lock:
            if not self._gbif:
                return None
            return next((self._usage(row) for row in self._rows(_BY_ID, gbif_id)), None)

    def family_of(self, genus: str) -> str | None:
        """Return the family of a genus (lower case)."""
        with self._lock:
            return next((row[4] for row in self._rows(_FAMILY, genus)), None)

    def close(self) -> None:
        """Let go of the file for good."""
        with self._lock:
            self._closed = True
            self._let_go()

    def _renew(self) -> None:
        self._look_again = time.monotonic() + _LOOK_EVERY_S
        seen = None if self._closed else _signature(self._path)
        if seen != self._seen:
            self._let_go()
            self._seen = seen
            if seen:
                self._open()

    def _open(self) -> None:
        try:
            self._connection = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False
            )
            about = dict(self._connection.execute("SELECT key, value FROM about").fetchall())
        except (sqlite3.Error, OSError) as error:
            self._refuse(str(error))
            return
        self._gbif = bool(about.get("gbif"))
        if about.get("format") != FORMAT:
            self._refuse("its format is another version's")

    def _refuse(self, reason: str) -> None:
        tell("names.unusable", reason=reason)
        self._let_go()

    def _let_go(self) -> None:
        self._edition += 1
        self._gbif = False
        if self._connection:
            with suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _usage(self, row: _Row) -> Usage:
        _, _, rank, authorship, _, accepted, synonym = row
        return Usage(rank, authorship, self._accepted(row) if accepted else None, bool(synonym))

    def _accepted(self, row: _Row) -> Accepted | None:
        """Return the end of the chain of synonyms that begins there; None for a circle."""
        for _ in range(_MOST_STEPS):
            identity, name, rank, _, family, accepted, _ = row
            if accepted == identity:
                return Accepted(name, rank, family)
            following = self._rows(_BY_ID, accepted)
            if accepted is None or not following:
                return None
            row = following[0]
        return None

    def _rows(self, query: str, value: int | str | None) -> list[_Row]:
        if not self._connection:
            return []
        try:
            return self._connection.execute(query, (value,)).fetchall()
        except (sqlite3.Error, OverflowError) as error:
            tell("names.unusable", reason=str(error))
            return []


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
