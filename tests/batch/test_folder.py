"""Photos of a folder: which are found, in which order, and how their names are shown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from plantid_core.batch.folder import LeftOut, photos_in, read, shown
from plantid_core.errors import InputUnreadable, UploadRejected
from plantid_core.upload.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path


def found(directory: Path) -> tuple[list[str], LeftOut]:
    left_out = LeftOut()
    return [os.fsdecode(one.path) for one in photos_in(directory, left_out)], left_out


def test_loops_hidden_files_and_other_files_are_passed_over(tmp_path: Path) -> None:
    """The four formats are found by any case of their names; each folder is entered once."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    for name in ("b.JPG", "a.webp", "deep/c.gif", "deep/er/d.png", ".e.jpg", ".hidden/f.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)

    names, left_out = found(tmp_path)

    assert sorted(names) == ["a.webp", "b.JPG", "deep/c.gif", "deep/er/d.png"]
    assert left_out.files == 1


def test_links_to_nothing_and_special_files_are_found_and_refused(tmp_path: Path) -> None:
    """Each is a row of the table that says why, and no pipe is waited for."""
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")

    names, _ = found(tmp_path)

    assert names == ["gone.jpg", "pipe.jpg"]
    with pytest.raises(UploadRejected, match="not a file"):
        read(tmp_path, b"pipe.jpg", Policy())
    with pytest.raises(FileNotFoundError):
        read(tmp_path, b"gone.jpg", Policy())


def test_no_folder_is_a_clear_error(tmp_path: Path) -> None:
    """The path is named, and what to give instead."""
    (tmp_path / "a.jpg").write_bytes(b"x")
    for path in (tmp_path / "nowhere", tmp_path / "a.jpg"):
        with pytest.raises(InputUnreadable, match="Name the folder"):
            found(path)


def test_names_are_shown_so_that_no_spreadsheet_runs_them() -> None:
    """A path that begins like a formula stays the same path; bytes that are no text are spelt out."""
    assert shown(b"=cmd.jpg") == "./=cmd.jpg"
    assert shown("Löwenzahn.jpg".encode()) == "Löwenzahn.jpg"
    assert shown(b"\xff.jpg") == r"\xff.jpg"
