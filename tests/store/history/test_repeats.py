"""Which requests were answered: taken once, answered by who took them, and forgotten after a day."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from observations import observed

from plantid_core.store.history.engine import Database
from plantid_core.store.history.history import History
from plantid_core.store.history.repeats import Repeats, Stored, Taken
from plantid_core.store.history.schema import idempotency, observation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
PATIENCE_S = 35.0


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Open a database that holds nothing, of either kind."""
    where = tmp_path / "history.sqlite"
    if request.param == "postgres":
        where = request.getfixturevalue("shared")
    with closing(Database(where, 5)) as opened:
        yield opened
        opened.write(lambda one: one.execute(sa.delete(idempotency)))
        opened.write(lambda one: one.execute(sa.delete(observation)))


@pytest.fixture
def repeats(database: Database, clock: Clock) -> Repeats:
    return Repeats(database, patience_s=PATIENCE_S, now=clock)


def taken(repeats: Repeats, key: str = "k", owner: str = "ann") -> Taken:
    found = repeats.take(owner, key, "f")
    assert isinstance(found, Taken)
    return found


def test_an_answer_is_stored_under_its_key(repeats: Repeats) -> None:
    """The same request gets it, another one is refused, another owner knows nothing of it."""
    repeats.finish(taken(repeats), 200, "{}")

    assert repeats.take("ann", "k", "f") == Stored(200, "{}")
    assert repeats.take("ann", "k", "other") == "another request"
    assert isinstance(repeats.take("ben", "k", "other"), Taken)


def test_what_is_released_may_be_taken_again(repeats: Repeats) -> None:
    """A request that failed leaves nothing."""
    first = taken(repeats)
    assert repeats.take("ann", "k", "f") == "under way"

    repeats.release(first)

    assert isinstance(repeats.take("ann", "k", "other"), Taken)


def test_the_dead_are_taken_over_and_answer_no_more(repeats: Repeats, clock: Clock) -> None:
    """After the patience one other takes it; what the first one says after that is not heard."""
    first = taken(repeats)
    clock.pass_s(PATIENCE_S)
    assert repeats.take("ann", "k", "f") == "under way"
    clock.pass_s(1)

    second = taken(repeats)
    repeats.finish(first, 200, "late")
    repeats.release(first)

    assert repeats.take("ann", "k", "f") == "under way"
    repeats.finish(second, 200, "right")
    assert repeats.take("ann", "k", "f") == Stored(200, "right")


def test_a_day_is_as_long_as_a_key_is_good(repeats: Repeats, clock: Clock) -> None:
    """After it the key is as new."""
    repeats.finish(taken(repeats), 200, "{}")
    clock.pass_s(86_400)
    assert repeats.take("ann", "k", "f") == Stored(200, "{}")
    clock.pass_s(1)

    assert isinstance(repeats.take("ann", "k", "other"), Taken)


def test_of_many_at_once_one_takes_it(repeats: Repeats) -> None:
    """The others are told that it is under way."""
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: repeats.take("ann", "k", "f"), range(8)))

    assert sum(isinstance(one, Taken) for one in found) == 1
    assert found.count("under way") == 7


def test_with_what_is_deleted_goes_what_was_answered(database: Database, repeats: Repeats) -> None:
    """Of this owner, and of nobody else; what is under way stays held."""
    history = History(database)
    history.add(observed("one"))
    repeats.finish(taken(repeats, "done"), 200, "{}")
    repeats.finish(taken(repeats, "done", "ben"), 200, "{}")
    taken(repeats, "under way")

    history.delete("ann", ["one"])

    assert isinstance(repeats.take("ann", "done", "f"), Taken)
    assert isinstance(repeats.take("ben", "done", "f"), Stored)
    assert repeats.take("ann", "under way", "f") == "under way"
