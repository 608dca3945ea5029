"""A Postgres of one's own, on a unix socket in a folder, to be stopped and started again.

Where the machine has none, or none that may run here, `PostgresAbsent` says why.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Start = Callable[[Sequence[str]], subprocess.Popen[bytes]]

_USER = "postgres"
_PLACES = Path("/usr/lib/postgresql")
_PORT = "5432"
_READY_S, _INIT_S, _STOP_S = 20.0, 60.0, 20.0
_OTHERS_MAY_PASS = 0o001
# Quick rather than safe from a power cut: what it keeps is gone with its folder.
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",
}


class PostgresAbsent(PlantIDError):
    """There is no Postgres that could be run here; the sentence says why."""


class Postgres:
    """A server that runs in ``folder``, which must be empty; ``start`` starts its process."""

    def __init__(self, folder: Path, start: Start) -> None:
        self._binaries = find_binaries()
        self._as_user = _as_user(folder)
        self._folder, self._start = folder, start
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()
        self.start()

    def url(self, database: str = _USER) -> str:
        """Return the address of one of its databases."""
        return f"postgresql://{_USER}@/{database}?host={self._folder}&port={_PORT}"

    def create(self, database: str) -> str:
        """Make an empty database, and return its address."""
        self._execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever is connected to it."""
        self._execute(f'DROP DATABASE "{database}" WITH (FORCE)')

    def cut_off(self, database: str) -> None:
        """End every connection to a database, from the server's side."""
        self._execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 - our own name
            f" WHERE datname = '{database}'"
        )

    def start(self) -> None:
        """Start the server; it answers when this returns."""
        options = [word for pair in _OPTIONS.items() for word in ("-c", "=".join(pair))]
        options += ["-k", str(self._folder), "-p", _PORT]
        server = str(self._binaries / "postgres")
        self._process = self._start([*self._as_user, server, "-D", str(self._data), *options])
        until = time.monotonic() + _READY_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise PlantIDError("The private Postgres did not start.")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the server at once, as a crash would, and leave none of its shared memory behind."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_STOP_S)
            self._process = None

    def _initialise(self) -> None:
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", _USER]
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(  # noqa: S603 - the system's own, in a folder of ours
            [*self._as_user, *command, *options],
            capture_output=True,
            text=True,
            timeout=_INIT_S,
            cwd="/",
            check=False,
        )
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["it said nothing"]
            raise PostgresAbsent(f"Its files could not be made: {words[-1]}")

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=2) as connection:
            connection.execute(statement.encode())


def find_binaries() -> Path:
    """Return the folder of Postgres's programs, the newest there is; raises `PostgresAbsent`."""
    if (found := shutil.which("initdb")) and shutil.which("postgres"):
        return Path(found).resolve().parent
    versions = sorted(_PLACES.glob("[0-9]*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise PostgresAbsent("There is no Postgres on this machine.")
    return versions[-1].parent


def _as_user(folder: Path) -> list[str]:
    """Return what runs a command as a user that Postgres accepts, which root is not."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam(_USER)
    except KeyError:
        raise PostgresAbsent(f"Root may not run Postgres, and there is no user {_USER}.") from None
    if not (setpriv := shutil.which("setpriv")):
        raise PostgresAbsent(f"Root may not run Postgres, and setpriv is missing to be {_USER}.")
    if any(not part.stat().st_mode & _OTHERS_MAY_PASS for part in folder.parents):
        raise PostgresAbsent(f"The user {_USER} cannot reach the folder {folder}.")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [setpriv, f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"]
