"""A database's errors as `HistoryUnavailable`: a short word, and a sentence that says what to do.

No sentence quotes the driver's, which may hold an address with its password, or what people wrote.

SQLite: https://sqlite.org/rescode.html · Postgres: its manual's appendix A, "PostgreSQL Error Codes".
"""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from plantid_core.errors import HistoryUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_ADVICE = {
    "unreachable": "The database of observations ({}) cannot be reached. Check that it runs, that"
    " PLANTID_DATABASE_URL names it rightly, and that it lets this user in.",
    "unopened": "The database of observations ({}) cannot be opened. Check that its folder is there and"
    " belongs to the app's user, and that the disk under it is well.",
    "encoding": "The database of observations ({}) does not keep its text in UTF-8. Make one with"
    " CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
    "locked": "The database of observations ({}) is busy with another change. Try again in a moment.",
    "full": "The disk under the database of observations ({}) is full. Free space there, then try"
    " again; what was kept before is safe.",
    "read_only": "The database of observations ({}) cannot be written. Let the app's user write it,"
    " and the folder it lies in.",
    "damaged": "The database of observations ({}) is damaged. Stop the app, and bring back a backup"
    " with plantid restore.",
    "newer": "The database of observations ({}) was made by a newer version of this app. Use that"
    " version, or a backup from before.",
}

# To a program these two are one: there is no database to be had.
_UNREACHABLE = {"unopened", "encoding"}

_SQLITE = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_PERM: "read_only",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_CONSTRAINT: "damaged",
    sqlite3.SQLITE_ERROR: "damaged",  # a table or column that is not there
}
_OS = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
    errno.EROFS: "read_only",
}
# A whole state, or its class, which is its first two characters.
_POSTGRES = {
    "53100": "full",
    "25006": "read_only",
    "42501": "read_only",
    "55P03": "locked",
    "57014": "locked",
    "40": "locked",
    "23": "damaged",
    "42": "damaged",
    "XX": "damaged",
}


def unavailable(reason: str, place: str) -> HistoryUnavailable:
    """Return the error for a key of `_ADVICE`; ``place`` is where the database is, without any secret."""
    word = "unreachable" if reason in _UNREACHABLE else reason
    return HistoryUnavailable(word, _ADVICE[reason].format(place))


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn what goes wrong inside into `HistoryUnavailable`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = _reason(error)
    else:
        return
    # Outside the clause, so that the driver's error, which may quote the address, is not chained.
    raise unavailable(reason, place)


def _reason(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        # The low byte is the kind, what stands above it only says where it was met.
        code = getattr(original, "sqlite_errorcode", None)
        return "unopened" if code is None else _SQLITE.get(code & 0xFF, "unopened")
    if isinstance(original, OSError):
        return _OS.get(original.errno or 0, "unopened")
    if isinstance(error, DBAPIError):
        # By the name that psycopg gives it, so that whoever uses SQLite need not load psycopg.
        state = getattr(original, "sqlstate", None) or ""
        return _POSTGRES.get(state) or _POSTGRES.get(state[:2]) or "unreachable"
    return "locked" if isinstance(original, PoolTimeout) else "damaged"
