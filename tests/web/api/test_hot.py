"""The short way from a question to its answer: kept before it is told, or told that it is not."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import orjson
import pytest

from plantid_core.access.principal import ANONYMOUS, LOCAL
from plantid_core.desk import Desk
from plantid_core.errors import UploadRejected
from plantid_core.upload import Upload
from plantid_core.web.api.answering import Busy
from plantid_core.web.api.hot import Asked, identified
from plantid_core.web.lane import Lane
from plantid_core.workbench import sample_photo

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core import Workbench


def kept(folder: Path) -> set[str]:
    """Return the ids that another process would find now."""
    with closing(sqlite3.connect(folder / "history.sqlite")) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM observation")}


def test_what_was_paid_for_is_durable_before_it_is_told(
    workbench: Workbench, tmp_path: Path
) -> None:
    """What comes from memory afterwards goes by no thread, and is there for whoever looks."""
    desk, lane, asked = Desk(workbench, LOCAL), Lane(1), Asked([sample_photo()])

    async def twice() -> None:
        first = await identified(desk, lane, asked)
        assert first.outcome.id in kept(tmp_path)

        # A lane without a thread: whoever needs one is told that all are taken.
        second = await identified(desk, Lane(0, 0), asked)

        assert desk.collection.get(second.outcome.id).answers == second.outcome.answers
        assert orjson.loads(second.body)["id"] == second.outcome.id
        assert (first.outcome.degraded, second.outcome.degraded) == ((), ())

    asyncio.run(twice())


def test_whoever_is_nobody_keeps_nothing(workbench: Workbench, tmp_path: Path) -> None:
    """An answer is told all the same, where anybody may ask."""
    desk = Desk(workbench, ANONYMOUS)

    told = asyncio.run(identified(desk, Lane(1), Asked([sample_photo()])))

    assert told.outcome.rung == "fresh"
    assert not (tmp_path / "history.sqlite").exists()


def test_an_answer_that_cannot_be_kept_is_told_and_says_so(
    workbench: Workbench, tmp_path: Path
) -> None:
    """It may have cost a credit. Once the database is free again it is kept after all."""
    desk, asked = Desk(workbench, LOCAL), Asked([sample_photo()])
    workbench.collection.find("local")

    with closing(sqlite3.connect(tmp_path / "history.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        told = asyncio.run(identified(desk, Lane(1), asked))
        other.rollback()

    assert told.outcome.degraded == ("history",)
    assert orjson.loads(told.body)["degraded"] == ["history"]
    workbench.archive.keeper.flush()
    assert told.outcome.id in kept(tmp_path)


def test_refusals_come_by_the_lane(workbench: Workbench) -> None:
    """A file that is none is refused as ever; where no thread is free, that is told."""
    desk, asked = Desk(workbench, LOCAL), Asked([Upload(b"no photo", "a.jpg")])

    with pytest.raises(UploadRejected):
        asyncio.run(identified(desk, Lane(1), asked))
    with pytest.raises(Busy):
        asyncio.run(identified(desk, Lane(0, 0), asked))
