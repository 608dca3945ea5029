"""Histories that hold nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plantid_core.store.history.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plantid_core.drill.postgres import Postgres


@pytest.fixture(scope="session")
def shared(postgres: Postgres) -> str:
    """Give the address of a database that tests use in turn, since a new one takes its time."""
    return postgres.create("shared")


@pytest.fixture(params=["sqlite", "postgres"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    """Open a history that holds nothing, of either kind."""
    where = tmp_path / "history.sqlite"
    if request.param == "postgres":
        where = request.getfixturevalue("shared")
    with History(where, wait_s=5) as opened:
        yield opened
        for owner in opened.owners():
            opened.delete_all(owner)
