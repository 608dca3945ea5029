"""A Postgres for the session, where the machine has one; each test has a database of its own."""

from __future__ import annotations

import itertools
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plantid_core.drill.postgres import Postgres, PostgresAbsent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_numbers = itertools.count(1)


def start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that can be told something."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a private Postgres, not below pytest's folder: its user may not pass through that."""
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        running: list[subprocess.Popen[bytes]] = []

        def serve(command: Sequence[str]) -> subprocess.Popen[bytes]:
            running.append(start(command))
            return running[-1]

        try:
            server = Postgres(Path(folder) / "server", serve)
        except PostgresAbsent as absent:
            pytest.skip(str(absent))
        yield server
        server.stop()
        for process in running:
            process.wait(10)
            assert process.stdin is not None
            process.stdin.close()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the address of an empty database, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'history.sqlite'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"test{next(_numbers)}"
    yield server.create(name)
    server.drop(name)
