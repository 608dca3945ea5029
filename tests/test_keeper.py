"""Keeping without a wait: together, in order, whatever befalls one of them or the disk."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kept import DAISY, answer
from processes import in_child, until
from test_collection import collection_in, outcome, photo

from plantid_core.collection import Collection, Stores
from plantid_core.compare.names.reconcile import shipped as names
from plantid_core.errors import (
    HistoryUnavailable,
    ObservationNotFound,
    ObservationRefused,
    PlantIDError,
    QuotaExceeded,
    StorageFailed,
)
from plantid_core.export.sensitive import shipped as rules
from plantid_core.keeper import Keeper
from plantid_core.plants import Place
from plantid_core.resilience.cache import Cache
from plantid_core.resilience.policy import Policy
from plantid_core.store.history.history import History
from plantid_core.store.history.values import Circumstances
from plantid_core.store.photos import PhotoStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plantid_core.collection import Keeping

LONG_S = 60.0


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Return an empty collection."""
    with closing(collection_in(tmp_path)) as opened:
        yield opened


def keeping(collection: Collection, owner: str = "ann", content: bytes = b"leaf") -> Keeping:
    made = outcome(answer("offline", DAISY))
    return collection.keeping(owner, made, [photo(content)], ["leaf"])


def impatient(folder: Path, *, quota_bytes: int = 1 << 30) -> Collection:
    """Return a collection that waits for nobody, with this much room for photos."""
    stores = Stores(
        History(folder / "history.sqlite", wait_s=0.05),
        PhotoStore(folder / "photos", quota_bytes=quota_bytes),
        Cache(None, Policy()),
        folder / "collection",
    )
    return Collection(stores, names(), rules)


def written(folder: Path) -> int:
    """Return how many observations another process would find."""
    with closing(sqlite3.connect(folder / "history.sqlite")) as connection:
        count: int = connection.execute("SELECT count(*) FROM observation").fetchone()[0]
    return count


def test_whoever_looks_finds_what_was_just_put(collection: Collection) -> None:
    """However long the window is: a reader has it closed."""
    with closing(Keeper(collection, window_s=LONG_S)) as keeper:
        one = keeping(collection)
        keeper.put(one)

        assert collection.get("ann", one.observed.id) == one.observed
        assert collection.find("ann").total == 1
        assert collection.photo("ann", photo(b"leaf").sha256) == photo(b"leaf").jpeg
        assert keeper.queued == 0


def test_nobody_waits_for_what_is_another_s(collection: Collection, tmp_path: Path) -> None:
    """Ben's reading leaves Ann's observation where it waits."""
    with closing(Keeper(collection, window_s=LONG_S)) as keeper:
        collection.find("ben")
        keeper.put(keeping(collection))

        collection.find("ben")

        assert (keeper.queued, written(tmp_path)) == (1, 0)


def test_what_is_awaited_is_durable_and_takes_the_others_along(tmp_path: Path) -> None:
    """The process ends by no order of ours as soon as the future has its result."""

    def put_and_die() -> str:
        collection = collection_in(tmp_path)
        keeper = Keeper(collection, window_s=LONG_S)
        keeper.put(keeping(collection))
        keeper.put(keeping(collection), awaited=True).result(10)
        return "kept"

    assert in_child(put_and_die) == "'kept'"

    assert written(tmp_path) == 2


def test_what_nobody_awaits_is_written_all_the_same(collection: Collection, tmp_path: Path) -> None:
    """Once its window is over."""
    with closing(Keeper(collection, window_s=0.01)) as keeper:
        done = keeper.put(keeping(collection))

        done.result(10)

        assert written(tmp_path) == 1


def test_closing_writes_what_is_queued_and_takes_nothing_more(
    collection: Collection, tmp_path: Path
) -> None:
    """A shutdown in order loses nothing."""
    keeper = Keeper(collection, window_s=LONG_S)
    for number in range(7):
        keeper.put(keeping(collection, f"person-{number % 3}"))

    keeper.close()

    assert written(tmp_path) == 7
    with pytest.raises(PlantIDError, match="closing"):
        keeper.put(keeping(collection))


def test_one_that_cannot_be_kept_takes_none_of_the_others_with_it(tmp_path: Path) -> None:
    """Ben's photo is too large for his quota; what stood before and behind it is kept."""
    with (
        closing(impatient(tmp_path, quota_bytes=1000)) as collection,
        closing(Keeper(collection, window_s=LONG_S)) as keeper,
    ):
        first, third = keeping(collection), keeping(collection, "cleo")
        refused = keeping(collection, "ben", b"x" * 2000)
        futures = [keeper.put(one) for one in (first, refused, third)]

        keeper.flush()

        with pytest.raises(QuotaExceeded):
            futures[1].result(0)
        assert (futures[0].result(0), futures[2].result(0)) == (None, None)
        assert collection.get("cleo", third.observed.id) == third.observed
        with pytest.raises(ObservationNotFound):
            collection.get("ben", refused.observed.id)
        assert (keeper.failed, keeper.troubled) == (1, False)


def test_what_no_database_takes_is_refused_at_once(collection: Collection) -> None:
    """Its person is told, and not only the log."""
    nowhere = Circumstances(place=Place(95.0, 0.0))
    made = collection.keeping("ann", outcome(), [], [], circumstances=nowhere)
    with closing(Keeper(collection)) as keeper:
        with pytest.raises(ObservationRefused, match="latitude"):
            keeper.put(made)

        assert keeper.queued == 0


def test_a_database_that_comes_back_loses_nothing(tmp_path: Path) -> None:
    """Another process holds it for a while: nobody waits for it, and all is written afterwards."""
    with (
        closing(impatient(tmp_path)) as collection,
        closing(Keeper(collection, window_s=0.001)) as keeper,
    ):
        keeper.put(keeping(collection)).result(10)
        with closing(sqlite3.connect(tmp_path / "history.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            futures = [keeper.put(keeping(collection)) for _ in range(3)]
            assert until(lambda: keeper.troubled)
            began = time.monotonic()
            assert not keeper.flush()
            assert time.monotonic() - began < LONG_S / 10
            other.rollback()

        for future in futures:
            future.result(10)

        assert (keeper.failed, keeper.queued, keeper.troubled) == (0, 0, False)
        assert written(tmp_path) == 4


def test_patience_ends_and_is_told(tmp_path: Path) -> None:
    """Where the database stays away, whoever waits learns why; so does whoever keeps the app."""
    with (
        closing(impatient(tmp_path)) as collection,
        closing(Keeper(collection, window_s=0.001, patience_s=0.0)) as keeper,
    ):
        collection.find("ann")
        with closing(sqlite3.connect(tmp_path / "history.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            future = keeper.put(keeping(collection))
            with pytest.raises(HistoryUnavailable):
                future.result(10)

        assert (keeper.failed, keeper.queued) == (1, 0)


def test_a_crowd_is_told_to_wait_and_the_same_photo_counts_once(collection: Collection) -> None:
    """By how many there are, and by what their photos weigh together."""
    with closing(Keeper(collection, window_s=LONG_S, most=5, most_bytes=100)) as keeper:
        for _ in range(4):
            keeper.put(keeping(collection, content=b"x" * 60))
        assert not keeper.crowded
        keeper.put(keeping(collection, content=b"y" * 60))

        assert keeper.crowded
        keeper.flush()
        assert not keeper.crowded


def test_a_queue_that_cannot_be_written_does_not_grow_without_end(tmp_path: Path) -> None:
    """Beyond its bound it takes nothing more, and says so."""
    with (
        closing(impatient(tmp_path)) as collection,
        closing(Keeper(collection, window_s=0.001, most=2)) as keeper,
    ):
        collection.find("ann")
        with closing(sqlite3.connect(tmp_path / "history.sqlite")) as other:
            other.execute("BEGIN IMMEDIATE")
            keeper.put(keeping(collection))
            assert until(lambda: keeper.troubled)
            keeper.put(keeping(collection))
            assert until(lambda: keeper.crowded)
            with pytest.raises(StorageFailed, match="Too much waits"):
                keeper.put(keeping(collection))
            other.rollback()
        assert keeper.flush() or until(lambda: keeper.queued == 0)


def test_a_photo_that_was_kept_once_is_known(collection: Collection) -> None:
    """Of another one nobody knows yet whether it can be kept."""
    with closing(Keeper(collection, window_s=LONG_S)) as keeper:
        assert not keeper.knows(keeping(collection))
        keeper.put(keeping(collection))
        keeper.flush()

        assert keeper.knows(keeping(collection))
        assert not keeper.knows(keeping(collection, "ben"))
        assert not keeper.knows(keeping(collection, content=b"other"))
