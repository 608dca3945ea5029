"""What came of each photo, durable before it counts: SQLite beside the table, in WAL mode.

SQLite rather than a file of lines: a commit is whole or not there at all, whatever moment the process or
the machine stops at (https://www.sqlite.org/atomiccommit.html), the table is read in the order of the
names without holding it in memory, and the lock of its exclusive mode ends with its process.

A photo's answers are kept by its *key*: the sha256 of the file's bytes and the format that its name
promises, so that the same file under ten names is asked once. Calls are counted before they are made
(`reserve`): those under way when a process is killed count as paid, for they may have been.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import orjson

from plantid_core.batch.journal_values import (
    Choice,
    Counts,
    JournalDiffers,
    JournalInUse,
    JournalUnusable,
    Kept,
    Line,
    Waiting,
)
from plantid_core.batch.told import final, pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Self

    from plantid_core.batch.folder import Found
    from plantid_core.batch.told import Told
    from plantid_core.plants import Answer

_VERSION = 1
_CHUNK = 500
UNREADABLE = "unreadable"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS photos (
  path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, seen INTEGER NOT NULL,
  key TEXT, code TEXT, message TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS photos_by_key ON photos (key);
CREATE INDEX IF NOT EXISTS photos_by_size ON photos (size);
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, begun INTEGER NOT NULL DEFAULT 0, paid INTEGER NOT NULL DEFAULT 0,
  settled INTEGER NOT NULL DEFAULT 0, turn INTEGER NOT NULL DEFAULT 0, took_s REAL, told BLOB,
  code TEXT, message TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_open ON answers (settled) WHERE settled = 0;
"""
_NOTE = """
INSERT INTO photos (path, size, mtime_ns, seen) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (path) DO UPDATE SET
  key = CASE WHEN size = ?2 AND mtime_ns = ?3 THEN key END,
  code = CASE WHEN size = ?2 AND mtime_ns = ?3 THEN code END,
  message = CASE WHEN size = ?2 AND mtime_ns = ?3 THEN message END,
  size = ?2, mtime_ns = ?3, seen = ?4
"""
_WAITING = """
SELECT photos.path, photos.key FROM photos LEFT JOIN answers USING (key)
WHERE photos.path > ? AND photos.code IS NULL
  AND (answers.key IS NULL OR (answers.settled = 0 AND answers.turn < ?))
ORDER BY photos.path LIMIT ?
"""
_LINES = """
SELECT photos.path, photos.key, coalesce(photos.code, answers.code),
  coalesce(photos.message, answers.message), answers.told,
  photos.code IS NOT NULL OR coalesce(answers.code IS NOT NULL AND answers.settled, 0)
FROM photos LEFT JOIN answers USING (key) ORDER BY photos.path
"""
_COUNTS = """
SELECT count(*),
  sum(photos.code IS NOT NULL OR (answers.code IS NOT NULL AND answers.settled)),
  sum(photos.code IS NULL AND answers.code IS NULL AND answers.settled = 1),
  count(DISTINCT photos.key) + sum(photos.key IS NULL)
FROM photos LEFT JOIN answers USING (key)
"""


_WORDS = {
    "directory": "the folder",
    "providers": "the providers",
    "sandbox": "the sandbox in the place of",
    "language": "the language",
}


class Journal:
    """One batch's journal, held by this process alone. All of it is for one thread.

    What is written is durable once `commit` has returned. Raises `JournalInUse`, `JournalDiffers` and
    `JournalUnusable`.
    """

    def __init__(self, path: Path, choice: Choice, *, again: bool = False) -> None:
        self.path = str(path)
        self._providers = frozenset(choice.providers)
        with self._told():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=0.5)
        try:
            with self._told():
                self._take()
                self._begin(choice, again=again)
        except BaseException:
            self._db.close()
            raise

    def _take(self) -> None:
        # Held from the first read to the end, also where the process is killed before it.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("BEGIN EXCLUSIVE")

    def _begin(self, choice: Choice, *, again: bool) -> None:
        for statement in _SCHEMA.split(";\n"):
            self._db.execute(statement)
        if again:
            for table in ("meta", "photos", "answers"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
        self._require_same(choice)
        self._db.execute("UPDATE answers SET paid = paid + begun, begun = 0 WHERE begun > 0")
        # Turns are those of one run; a file that could not be read may have become readable.
        self._db.execute("UPDATE answers SET turn = 0 WHERE turn > 0 AND settled = 0")
        self._db.execute(
            "UPDATE photos SET code = NULL, message = NULL WHERE code = ?", (UNREADABLE,)
        )
        self._db.execute("COMMIT")

    def _require_same(self, choice: Choice) -> None:
        now = cast(
            "dict[str, object]",
            orjson.loads(orjson.dumps({"version": _VERSION, **asdict(choice)})),
        )
        before = self._meta("choice")
        if before is None:
            self._set_meta("choice", now)
            return
        known = cast("dict[str, object]", before)
        if known.get("version") != _VERSION:
            raise JournalUnusable(self.path, "it was written by another version. Use --again.")
        for name, word in _WORDS.items():
            if known.get(name) != now[name]:
                raise JournalDiffers(self.path, word, known.get(name), now[name])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go; what was not committed is forgotten."""
        self._db.close()

    def commit(self) -> None:
        """Make everything written so far durable."""
        with self._told():
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    def note(self, found: Iterable[Found]) -> None:
        """Take down which photos there are now; one that has changed is asked anew, one gone is left out."""
        with self._told():
            seen = int(cast("int", self._meta("seen") or 0)) + 1
            self._write()
            self._set_meta("seen", seen)
            self._db.executemany(_NOTE, ((one.path, one.size, one.mtime_ns, seen) for one in found))
            self._db.execute("DELETE FROM photos WHERE seen != ?", (seen,))
        self.commit()

    def alike(self) -> Iterator[bytes]:
        """Yield the unread photos that have another one's size: only those can be the same file."""
        with self._told():
            rows = self._db.execute(
                "SELECT path FROM photos WHERE key IS NULL AND code IS NULL AND size IN"
                " (SELECT size FROM photos GROUP BY size HAVING count(*) > 1) ORDER BY path"
            ).fetchall()
        for (path,) in rows:
            yield path

    def waiting(self, turn: int) -> Iterator[Waiting]:
        """Yield the photos that are not settled and were not asked in this turn, by their path."""
        after = b""
        while True:
            with self._told():
                rows = self._db.execute(_WAITING, (after, turn, _CHUNK)).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            yield from (Waiting(path, key) for path, key in rows)

    def kept(self, key: str) -> Kept | None:
        """Return what there is of a key."""
        with self._told():
            row = self._db.execute(
                "SELECT settled, turn, told FROM answers WHERE key = ?", (key,)
            ).fetchone()
            return Kept(bool(row[0]), row[1], unpack(row[2])[0] if row[2] else ()) if row else None

    def name(self, path: bytes, key: str) -> None:
        """Take down which key a photo has."""
        with self._told():
            self._write()
            self._db.execute("UPDATE photos SET key = ? WHERE path = ?", (key, path))

    def refuse(self, path: bytes, code: str, message: str) -> None:
        """Take down that one photo is refused for its name or its file, whatever is in it."""
        with self._told():
            self._write()
            self._db.execute(
                "UPDATE photos SET code = ?, message = ? WHERE path = ?", (code, message, path)
            )

    def reserve(self, key: str, calls: int, turn: int) -> None:
        """Count paid calls as made, before they are."""
        with self._told():
            self._write()
            self._db.execute(
                "INSERT INTO answers (key, begun, turn) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (key) DO UPDATE SET begun = begun + ?2, turn = ?3",
                (key, calls, turn),
            )

    def settle(self, told: Told) -> bool:
        """Take down what came of a job; return whether that is final for its photo."""
        refusal = told.refusal
        settled = (
            self._providers <= {one.provider for one in told.answers if final(one)}
            if refusal is None
            else not refusal.transient
        )
        with self._told():
            self._write()
            self._db.execute(
                "UPDATE answers SET begun = 0, paid = paid + ?, settled = ?, took_s = ?,"
                " told = coalesce(?, told), code = ?, message = ? WHERE key = ?",
                (
                    told.cost, settled, told.took_s,
                    pack(told.answers, told.joint) if told.answers else None,
                    refusal.code if refusal else None, refusal.message if refusal else None,
                    told.key,
                ),
            )  # fmt: skip
        return settled

    def photos_of(self, key: str) -> int:
        """Return how many photos have this key."""
        with self._told():
            row = self._db.execute("SELECT count(*) FROM photos WHERE key = ?", (key,)).fetchone()
            return int(row[0])

    def spent(self) -> int:
        """Return the paid calls of all runs, and those under way."""
        return int(self._number("SELECT sum(paid + begun) FROM answers") or 0)

    def took_s(self) -> float | None:
        """Return how long a photo took on average, None where none was asked."""
        return self._number("SELECT avg(took_s) FROM answers WHERE took_s > 0")

    def counts(self) -> Counts:
        """Return the photos by what came of them."""
        with self._told():
            row = self._db.execute(_COUNTS).fetchone()
        photos, refused, settled, distinct = (int(value or 0) for value in row)
        return Counts(photos, refused, settled, distinct)

    def unsettled(self) -> Iterator[tuple[Answer, ...]]:
        """Yield the answers so far of each different photo that is neither settled nor refused."""
        with self._told():
            rows = self._db.execute(
                "SELECT told FROM photos LEFT JOIN answers USING (key) WHERE photos.code IS NULL"
                " AND (answers.key IS NULL OR answers.settled = 0)"
                " GROUP BY coalesce(photos.key, photos.path)"
            )
            for (told,) in rows:
                yield unpack(told)[0] if told else ()

    def lines(self) -> Iterator[Line]:
        """Yield every photo by its path, without holding them all."""
        with self._told():
            for path, key, code, message, told, refused in self._db.execute(_LINES):
                answers, joint = unpack(told) if told else ((), None)
                yield Line(path, key, bool(refused), code, message, answers, joint)

    def _write(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN")

    def _number(self, statement: str) -> float | None:
        with self._told():
            return cast("float | None", self._db.execute(statement).fetchone()[0])

    def _meta(self, name: str) -> object:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return orjson.loads(row[0]) if row else None

    def _set_meta(self, name: str, value: object) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
            (name, orjson.dumps(value).decode()),
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in {
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            }:
                raise JournalInUse(self.path) from error
            raise JournalUnusable(
                self.path, f"{error}. Is there room, and may the folder be written to?"
            ) from error
        except sqlite3.DatabaseError as error:
            raise JournalUnusable(
                self.path, f"{error}. Move it away, or write to another table."
            ) from error
