"""Whatever befalls the database: one typed error that says what to do, and nothing lost or doubled."""

from __future__ import annotations

import os
import socket
import sqlite3
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from observations import determined, observed, reason
from processes import in_child

from plantid_core.errors import ConfigurationError, HistoryUnavailable
from plantid_core.settings import load_settings
from plantid_core.store.history.history import History, open_history

NOBODY = 65534


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def test_the_settings_choose_the_database(tmp_path: Path) -> None:
    """A file in the data directory, unless they say otherwise; nothing is made before it is used."""
    own = load_settings(data_dir=tmp_path / "own data?")
    other = load_settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path / 'other'}")

    with open_history(own) as history, open_history(other) as elsewhere:
        assert list(tmp_path.iterdir()) == []
        history.add(observed())
        assert elsewhere.owners() == ()

    assert (tmp_path / "own data?" / "history.sqlite").is_file()
    assert (tmp_path / "other").is_file()


def test_the_files_are_private(file: Path) -> None:
    """Whatever the umask."""
    umask = os.umask(0)
    try:
        with History(file) as history:
            history.add(observed())
            modes = {path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    finally:
        os.umask(umask)

    assert modes == {0o600}


def test_what_is_deleted_is_gone_from_the_disk(file: Path) -> None:
    """Also from the log, and while the app runs on."""
    with History(file) as history:
        history.add(observed())
        before = b"".join(path.read_bytes() for path in file.parent.iterdir())
        history.delete_all("ann")
        after = b"".join(path.read_bytes() for path in file.parent.iterdir())

    assert b"serrulata" in before
    assert b"serrulata" not in after


def test_threads_share_a_history(history: History) -> None:
    """More of them than there are connections."""
    with ThreadPoolExecutor(24) as crowd:
        added = list(crowd.map(lambda n: history.add(observed(f"n{n % 60}")), range(120)))

    assert sum(added) == 60
    assert history.find("ann").total == 60


def test_a_forked_child_uses_connections_of_its_own(history: History) -> None:
    """And the parent's still work after it."""
    history.add(observed())

    said = in_child(lambda: (history.add(observed("two")), history.find("ann").total))

    assert said == "(True, 2)"
    assert history.add(observed("three"))
    assert history.find("ann").total == 3


def test_a_change_that_never_ends_is_not_waited_for(file: Path) -> None:
    """Reading waits for nobody."""
    with History(file, wait_s=0.2) as history, closing(sqlite3.connect(file)) as other:
        history.add(observed())
        other.execute("BEGIN IMMEDIATE")

        assert reason(history) == "locked"
        assert history.get("ann", "one") == observed()

        other.rollback()
        assert history.add(observed("two"))


def test_a_full_disk_keeps_what_was_there(file: Path) -> None:
    """An observation that found no room leaves no part of itself."""

    def shrink(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 40")

    sa.event.listen(sa.Engine, "connect", shrink)
    try:
        with History(file) as history:
            kept = 0
            with suppress(HistoryUnavailable):
                for kept in range(1000):
                    history.add(observed(f"n{kept}", determinations=(determined(note="x" * 999),)))
            with pytest.raises(HistoryUnavailable, match="full") as failed:
                history.add(observed("last", determinations=(determined(note="x" * 9_999),)))
            assert failed.value.reason == "full"
            assert 0 < history.find("ann").total == kept
    finally:
        sa.event.remove(sa.Engine, "connect", shrink)

    with History(file) as history:
        assert history.add(observed("now"))


def test_a_file_that_cannot_be_written_is_still_read() -> None:
    """By a user who may not write it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        with History(folder / "history.sqlite") as history:
            history.add(observed())
            for path in folder.iterdir():
                path.chmod(0o444)
            folder.chmod(0o555)

            def work() -> object:
                if os.geteuid() == 0:
                    os.setuid(NOBODY)
                found = history.get("ann", "one").id
                return found, reason(history)

            said = in_child(work)
        folder.chmod(0o700)

    assert said == "('one', 'read_only')"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file lies in its place."""
    (tmp_path / "data").write_text("")

    with (
        History(tmp_path / "data" / "history.sqlite") as history,
        pytest.raises(HistoryUnavailable, match=r"data/history\.sqlite"),
    ):
        history.owners()


def test_a_damaged_file_is_told_and_left_alone(file: Path) -> None:
    """One that is no database, and one whose middle has been overwritten."""
    file.write_bytes(b"not a database, but somebody's notes" * 100)
    before = file.read_bytes()
    with History(file) as history:
        assert reason(history) == "damaged"
    assert file.read_bytes() == before

    file.unlink()
    with History(file) as history:
        for n in range(50):
            history.add(observed(f"n{n}"))
    whole = file.read_bytes()
    file.write_bytes(whole[:8192] + b"\xff" * 60_000 + whole[68_192:])
    with History(file) as history, pytest.raises(HistoryUnavailable) as failed:
        list(history.all("ann"))
    assert failed.value.reason == "damaged"


def test_one_answer_that_cannot_be_read_names_its_observation(file: Path) -> None:
    """Which can be deleted by that name."""
    with History(file) as history, closing(sqlite3.connect(file)) as other:
        history.add(observed())
        other.execute("UPDATE answer SET body = '{\"provider\": 7'")
        other.commit()

        with pytest.raises(HistoryUnavailable, match="observation one") as failed:
            history.find("ann")

        assert failed.value.reason == "damaged"
        assert history.delete("ann", ["one"]).observations == 1


@pytest.mark.parametrize(
    "address",
    [
        "mysql://me:s3cret@host/x",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:s3cret",
        "s3cret",
    ],
)
def test_an_address_of_another_kind_is_refused(address: str) -> None:
    """With what it should be like, and without the address."""
    with pytest.raises(ConfigurationError, match="PLANTID_DATABASE_URL") as refused:
        History(address)

    assert "s3cret" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("query", ["", "?password=s3cret&connect_timeout=1", "?nonsense=s3cret"])
def test_no_error_holds_a_password(query: str) -> None:
    """Nobody listens there, or the address is wrong: host and name of the database are told."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{probe.getsockname()[1]}"

    with (
        History(f"postgresql://me:s3cret@{where}/plants{query}") as history,
        pytest.raises(HistoryUnavailable, match=r"plants on 127\.0\.0\.1") as failed,
    ):
        history.owners()

    assert failed.value.reason == "unreachable"
    assert "s3cret" not in "".join(traceback.format_exception(failed.value))
