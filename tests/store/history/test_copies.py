"""Copies for a backup: the file as it is now, or every observation as JSON."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import orjson
import pytest
from observations import answered, determined, observed

from plantid_core.errors import HistoryUnavailable, ObservationRefused, PlantIDError
from plantid_core.store.history.history import History

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.drill.postgres import Postgres

BROKEN = [
    {},
    {"version": 2},
    {"version": 1, "observation": [], "photos": [], "answers": [], "determinations": []},
    {"version": 1, "observation": None, "photos": 1},
]


def test_a_snapshot_is_whole_while_others_write(tmp_path: Path) -> None:
    """Every observation in it has its parts, and it holds all that was there when it began."""
    copy, stop = tmp_path / "copy.sqlite", threading.Event()
    with History(tmp_path / "history.sqlite") as history:
        for n in range(20):
            history.add(observed(f"before-{n}"))

        def write() -> None:
            n = 0
            while not stop.is_set():
                n += 1
                history.add(observed(f"meanwhile-{n}"))

        writing = threading.Thread(target=write)
        writing.start()
        history.snapshot(copy)
        stop.set()
        writing.join()

    assert copy.stat().st_mode & 0o777 == 0o600
    with History(copy) as copied:
        found = list(copied.all("ann"))
    assert {f"before-{n}" for n in range(20)} <= {one.id for one in found}
    assert all(len(one.photos) == 1 and len(one.answers) == 2 for one in found)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_snapshot_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """And says where it was to go."""
    with (
        History(tmp_path / "history.sqlite") as history,
        pytest.raises(HistoryUnavailable, match="nowhere"),
    ):
        history.snapshot(tmp_path / "nowhere" / "copy.sqlite")


def test_a_postgres_is_not_copied_as_a_file(postgres: Postgres, tmp_path: Path) -> None:
    """The ways that there are, are told."""
    with History(postgres.url()) as history, pytest.raises(PlantIDError, match="pg_dump"):
        history.snapshot(tmp_path / "copy")


def test_a_dump_goes_through_json_into_another_database(url: str, tmp_path: Path) -> None:
    """From either kind; loading twice adds nothing."""
    ours = [
        observed("one", determinations=(determined(), determined("second", "rejected", None))),
        observed("two", day=1, circumstances=observed().circumstances, answers=()),
        observed("one", "bob", answers=(answered(name="Acer \u2028 palmatum"),)),
    ]
    with History(url) as history, History(tmp_path / "other.sqlite") as other:
        for one in ours:
            history.add(one, {"plantnet": f"key-{one.owner}-{one.id}"})
        lines = [orjson.dumps(record) for record in history.dump()]

        added = [other.load(orjson.loads(line) for line in lines) for _ in range(2)]
        back = History(url)
        emptied = [back.delete_all(owner) for owner in back.owners()]
        returned = back.load(other.dump())
        back.close()

        assert added == [3, 0]
        assert returned == 3
        assert [history.get(one.owner, one.id) for one in ours] == ours
        assert history.delete_all("bob") == emptied[1]
        assert emptied[1].cache_keys == ("key-bob-one",)


def test_a_dump_is_of_one_moment(url: str) -> None:
    """What is added while it is read is not in it."""
    with History(url) as history:
        for n in range(3):
            history.add(observed(f"n{n}"))
        dumping = history.dump()
        first = next(dumping)
        history.add(observed("later"))
        history.delete("ann", ["n2"])

        records = [first, *dumping]

    assert [record["observation"]["id"] for record in records] == ["n0", "n1", "n2"]  # type: ignore[index]


@pytest.mark.parametrize("record", BROKEN)
def test_what_no_dump_made_is_refused(tmp_path: Path, record: dict[str, object]) -> None:
    """With a sentence, and nothing of it is kept."""
    with History(tmp_path / "history.sqlite") as history:
        with pytest.raises(ObservationRefused, match="record"):
            history.load([record])

        assert history.owners() == ()


def test_a_record_that_was_meddled_with_is_refused(tmp_path: Path) -> None:
    """Each value of it by another kind; nothing else than a refusal may come of that."""
    with History(tmp_path / "history.sqlite") as history:
        history.add(observed(determinations=(determined(),)))
        (line,) = [orjson.dumps(record) for record in history.dump()]
        history.delete_all("ann")
        refused = 0

        for part in ("observation", "photos", "answers", "determinations"):
            for name in _row(orjson.loads(line), part):
                for wrong in (7, "\0", [], None):
                    record = orjson.loads(line)
                    _row(record, part)[name] = wrong
                    try:
                        history.load([record])
                    except ObservationRefused:
                        refused += 1
                    else:
                        assert list(history.dump())
                        history.delete_all(history.owners()[0])

        assert refused > 50


def _row(record: dict[str, object], part: str) -> dict[str, object]:
    found = record[part]
    row = found[0] if isinstance(found, list) else found
    assert isinstance(row, dict)
    return row
