"""ZIP files from strangers."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plantid_core.compare import archive
from plantid_core.errors import InputUnreadable

if TYPE_CHECKING:
    from pathlib import Path


def zipped(entries: dict[str, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in entries.items():
            made.writestr(zipfile.ZipInfo(name), data)
    return buffer


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_photos_keep_their_species(tmp_path: Path) -> None:
    """Wherever the folders lie; what is no photo is passed over, and no name is lost to another."""
    made = zipped({
        "mine/Tsuga/a.jpg": b"1", "old/Tsuga/a.jpg": b"2", "Tsuga/notes.txt": b"",
        "b.jpg": b"", "__MACOSX/Tsuga/._a.jpg": b"",
    })  # fmt: skip

    count = archive.unpack(made, "a.zip", tmp_path)

    assert count == 2
    assert files(tmp_path) == {"Tsuga/a.jpg", "Tsuga/2 a.jpg"}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(parts=st.lists(st.sampled_from(["..", ".", "", "C:", "a", "\\", "~", " "]), max_size=5))
def test_nothing_is_written_elsewhere(tmp_path: Path, parts: list[str]) -> None:
    """Whatever the paths say."""
    into = tmp_path / "into" / "deep"
    into.mkdir(parents=True, exist_ok=True)
    before = files(tmp_path)

    try:
        archive.unpack(zipped({"/".join([*parts, "photo.jpg"]): b"x"}), "a.zip", into)
    except InputUnreadable:
        assert files(tmp_path) == before

    assert all(name.startswith("into/deep/") for name in files(tmp_path))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (io.BytesIO(b"no archive"), "no ZIP file"),
        (zipped({"a.jpg": b"1"}), "no photo in a folder"),
        (zipped({f"Tsuga/{number}.jpg": b"1" for number in range(4)}), "more than 3 photos"),
    ],
    ids=["no archive", "no folders", "too many"],
)
def test_what_is_refused_says_why(
    tmp_path: Path, made: io.BytesIO, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence that names the file."""
    monkeypatch.setattr(archive, "MOST_FILES", 3)

    with pytest.raises(InputUnreadable, match=told) as caught:
        archive.unpack(made, "plants.zip", tmp_path)

    assert caught.value.path == "plants.zip"
