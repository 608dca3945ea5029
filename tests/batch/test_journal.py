"""The journal of a batch: what it keeps over a crash, whom it lets in, what it counts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plantid_core.batch.folder import Found
from plantid_core.batch.journal import Journal
from plantid_core.batch.journal_values import (
    Choice,
    JournalDiffers,
    JournalInUse,
    JournalUnusable,
)
from plantid_core.batch.told import Refusal, Told, pack, unpack
from plantid_core.plants import Answer, Consensus, ConsensusEntry, Suggestion, Taxon

CHOICE = Choice("/photos", ("plant_id", "offline"), ("plant_id",), "en")
KEYS = [f"{number:064x}:JPEG" for number in range(4)]
DAISY = Suggestion(Taxon("Bellis perennis", "L.", common_names=("daisy", "Gänseblümchen")), 0.9)


def answer(provider: str, **more: object) -> Answer:
    given_ = {"status": "ok", "source": "upstream", "sandbox": True, "elapsed_ms": 3.0, **more}
    return Answer(provider, suggestions=(DAISY,), **given_)  # type: ignore[arg-type]


def told(key: str, *, whole: bool = True) -> Told:
    late: dict[str, object] = {
        "status": "unavailable",
        "error": {"code": "timeout", "message": "late", "retry_after_s": None},
    }
    first = answer("plant_id", **({} if whole else late))
    return Told(key, (first, answer("offline", source="local")), None, ("plant_id", "offline"), 0.1)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "fail", "commit"]), st.integers(0, len(KEYS) - 1)
    ),
    max_size=24,
)


@given(OPERATIONS, st.binary(max_size=300))
@settings(max_examples=25)
def test_a_crash_at_any_point_leaves_what_was_committed(
    operations: list[tuple[str, int]], torn: bytes
) -> None:
    """Nothing durable is lost, nothing else is there, and what was under way counts as paid."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.journal")
        settled: set[str] = set()
        spent = 0
        durable: tuple[set[str], int] = set(), 0
        reserved: set[str] = set()
        with Journal(path, CHOICE) as journal:
            for what, number in operations:
                key = KEYS[number]
                if what == "commit":
                    journal.commit()
                    durable = set(settled), spent
                elif what == "reserve" and key not in reserved:
                    journal.reserve(key, 1, turn=1)
                    reserved.add(key)
                    spent += 1
                elif what in {"settle", "fail"} and key in reserved:
                    # A reserved call was made, and may have been charged whatever came of it.
                    journal.settle(told(key, whole=what == "settle"))
                    reserved.discard(key)
                    settled = settled | {key} if what == "settle" else settled - {key}
            left = Path(folder, "b.journal")
            shutil.copy(path, left)
            wal = Path(f"{path}-wal")
            if wal.exists():
                Path(f"{left}-wal").write_bytes(wal.read_bytes() + torn)

        with Journal(left, CHOICE) as journal:
            found = {key for key in KEYS if (kept := journal.kept(key)) and kept.settled}
            assert (found, journal.spent()) == durable


def test_answers_come_back_as_they_went_in() -> None:
    """All but pictures and care, which the table does not need."""
    joint = Consensus((ConsensusEntry("Bellis perennis", "species", 0.9, ("plant_id",)),), None)
    given_ = (answer("plant_id", is_plant=0.9, remaining=3), answer("offline"))

    assert unpack(pack(given_, joint)) == (given_, joint)


def test_a_second_run_is_turned_away(tmp_path: Path) -> None:
    """Two runs on one journal would ask everything twice."""
    with Journal(tmp_path / "a.journal", CHOICE), pytest.raises(JournalInUse, match=r"a\.journal"):
        Journal(tmp_path / "a.journal", CHOICE)


@pytest.mark.parametrize(
    ("other", "word"),
    [
        (Choice("/others", CHOICE.providers, CHOICE.sandbox, "en"), "the folder"),
        (Choice("/photos", ("offline",), (), "en"), "the providers"),
        (Choice("/photos", CHOICE.providers, (), "en"), "the sandbox"),
        (Choice("/photos", CHOICE.providers, CHOICE.sandbox, "fr"), "the language"),
    ],
)
def test_another_choice_is_an_error_that_names_it(tmp_path: Path, other: Choice, word: str) -> None:
    """Answers of one choice are not mixed with another's; --again begins anew."""
    Journal(tmp_path / "a.journal", CHOICE).close()

    with pytest.raises(JournalDiffers, match=word):
        Journal(tmp_path / "a.journal", other)

    Journal(tmp_path / "a.journal", other, again=True).close()


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    """A file that happens to have the name is neither read nor overwritten."""
    (tmp_path / "a.journal").write_bytes(b"my notes" * 200)

    with pytest.raises(JournalUnusable, match="Move it away"):
        Journal(tmp_path / "a.journal", CHOICE)

    assert (tmp_path / "a.journal").read_bytes() == b"my notes" * 200


def test_a_changed_photo_is_asked_anew_and_one_gone_is_forgotten(tmp_path: Path) -> None:
    """Size and time of change tell; the others stay settled."""
    with Journal(tmp_path / "a.journal", CHOICE) as journal:
        journal.note([Found(b"a", 10, 1), Found(b"b", 11, 1), Found(b"c", 12, 1)])
        for path, key in zip((b"a", b"b"), KEYS, strict=False):
            journal.name(path, key)
            journal.reserve(key, 1, turn=1)
            journal.settle(told(key))

        journal.note([Found(b"a", 10, 1), Found(b"b", 11, 2)])

        assert [one.path for one in journal.waiting(1)] == [b"b"]
        assert [line.path for line in journal.lines()] == [b"a", b"b"]


def test_a_refusal_is_final_only_where_it_speaks_of_the_file(tmp_path: Path) -> None:
    """A worker that was busy says nothing of the photo."""
    with Journal(tmp_path / "a.journal", CHOICE) as journal:
        for key in KEYS[:2]:
            journal.reserve(key, 0, turn=1)

        busy = journal.settle(Told(KEYS[0], refusal=Refusal("busy", "later", transient=True)))
        bad = journal.settle(Told(KEYS[1], refusal=Refusal("type", "a text file")))

        assert (busy, bad) == (False, True)
