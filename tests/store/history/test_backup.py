"""Backups of a database that is no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kept import DAISY, NOON, answer, observed

from plantid_core.store.backup.restore import restore_backup
from plantid_core.store.backup.write import write_backup
from plantid_core.store.history.history import History
from plantid_core.store.history.values import KeptPhoto
from plantid_core.store.photos import PhotoStore

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_move_between_the_kinds_of_database(history: History, tmp_path: Path) -> None:
    """A backup of either goes into SQLite, and what was taken of that into the other again."""
    first, second = tmp_path / "first", tmp_path / "second"
    photos = PhotoStore(first / "photos")
    photo_id = photos.put("ann", b"\xff\xd8\xffone")
    shown = (KeptPhoto(photo_id, "leaf", 32, 24, "PNG"),)
    made = observed(answer("offline", DAISY), owner="ann", photos=shown)
    history.add(made)
    write_backup(tmp_path / "a.tar.gz", first, history, photos, now=NOON)

    with History(second / "history.sqlite") as own:
        restore_backup(tmp_path / "a.tar.gz", second, own)
        assert list(own.all("ann")) == [made]
        write_backup(tmp_path / "b.tar.gz", second, own, PhotoStore(second / "photos"), now=NOON)
    history.delete_all("ann")
    restored = restore_backup(tmp_path / "b.tar.gz", tmp_path / "third", history)

    assert list(history.all("ann")) == [made]
    assert (restored.observations, restored.photos) == (1, 1)
    assert PhotoStore(tmp_path / "third" / "photos").get("ann", photo_id) == b"\xff\xd8\xffone"
