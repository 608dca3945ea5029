"""Bring a database to the newest schema, once, however many processes open it at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from plantid_core.store.history.faults import unavailable
from plantid_core.store.history.schema import HEAD, VERSION_TABLE

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Any number will do that no other user of a shared Postgres is likely to lock.
_LOCK = 0x706C616E74
# alembic keeps the migration under way in its module, one for all threads.
_alone = threading.Lock()


def version(connection: Connection) -> str | None:
    """Return the schema's revision, None for an empty database."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608 - our own name
    return found


def migrate(connection: Connection, place: str, revision: str = HEAD) -> None:
    """Run the steps that are missing, all or none, in the transaction that the connection is in.

    On SQLite it must have begun for writing, so that others wait. Raises `HistoryUnavailable`
    ("newer") for a revision that this version of the app does not know.
    """
    if connection.dialect.name == "postgresql":
        # Filling in a column may take its time.
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    found = version(connection)
    if found == revision:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise unavailable("newer", place)
    with _alone:
        command.upgrade(config, revision)
