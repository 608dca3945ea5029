"""Archives as people pack them, and as attackers do."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plantid_core.errors import InputUnreadable
from plantid_core.upload.archive import Limits, unpack, unpacked

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = b"\xff\xd8 not looked at here"


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> io.BytesIO:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return buffer


def outside(folder: Path) -> set[str]:
    """Return all that lies beside the folder that was unpacked into."""
    return {str(path) for path in folder.parent.rglob("*") if folder not in {path, *path.parents}}


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


def test_folders_of_photos_keep_their_names(into: Path) -> None:
    """Photos lie where the archive says, with the signs of their names."""
    archive = zipped(("Citrus × limon/a.jpg", PHOTO), ("Quercus robur/b.PNG", PHOTO))

    found = unpack(archive, "plants.zip", into)

    assert [str(path.relative_to(found.root)) for path in found.files] == [
        "Citrus × limon/a.jpg",
        "Quercus robur/b.PNG",
    ]
    assert found.files[0].read_bytes() == PHOTO


def test_what_computers_add_is_passed_over(into: Path) -> None:
    """A folder around everything, and the droppings of operating systems, change nothing."""
    archive = zipped(
        ("mine/Quercus robur/a.jpg", PHOTO),
        ("mine/labels.csv", b"file,scientific_name\n"),
        ("mine/notes.txt", b"hello"),
        ("__MACOSX/mine/Quercus robur/._a.jpg", b"\0"),
    )

    found = unpack(archive, "plants.zip", into)

    assert found.root == into / "mine"
    assert len(found.files) == 2
    assert len(found.passed_over) == 2


def test_the_folder_is_gone_afterwards() -> None:
    """What was unpacked for a while leaves nothing on the disk."""
    with unpacked(zipped(("Quercus robur/a.jpg", PHOTO)), "plants.zip") as found:
        assert found.files[0].is_file()

    assert not found.root.exists()


def link() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("Quercus robur/a.jpg")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def lzma() -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo("a.jpg")
    entry.compress_type = zipfile.ZIP_LZMA
    return entry


def encrypted() -> io.BytesIO:
    data = zipped(("a.jpg", PHOTO)).getvalue()
    at = data.index(b"PK\1\2") + 8
    return io.BytesIO(data[:at] + b"\1\0" + data[at + 2 :])


def overlapping() -> io.BytesIO:
    """Return an archive whose directory lists the same bytes under two names."""
    data = zipped(("a.jpg", PHOTO)).getvalue()
    begin, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    entry = data[begin:end]
    directory = entry + entry.replace(b"a.jpg", b"b.jpg")
    tail = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2, 2, len(directory), begin, 0)
    return io.BytesIO(data[:begin] + directory + tail)


def zip64() -> io.BytesIO:
    data = zipped(("a.jpg", PHOTO)).getvalue()
    end = data.index(b"PK\5\6")
    return io.BytesIO(data[:end] + b"PK\6\7" + b"\0" * 16 + data[end:])


def claiming(entries: int) -> io.BytesIO:
    data = bytearray(zipped(("a.jpg", PHOTO)).getvalue())
    end = data.index(b"PK\5\6")
    data[end + 8 : end + 12] = struct.pack("<HH", entries, entries)
    return io.BytesIO(data)


@pytest.mark.parametrize(
    ("archive", "told"),
    [
        (zipped(("../../evil.jpg", PHOTO)), "leads out"),
        (zipped(("a/../../evil.jpg", PHOTO)), "leads out"),
        (zipped(("/etc/evil.jpg", PHOTO)), "leads out"),
        (zipped(("..\\evil.jpg", PHOTO)), "leads out"),
        (zipped(("C:evil.jpg", PHOTO)), "leads out"),
        (zipped(("a\x1b[2J.jpg", PHOTO)), "control characters"),
        (zipped(("gpj.\u202eexe.jpg", PHOTO)), "control characters"),
        (zipped((link(), b"/etc/passwd")), "link"),
        (zipped((lzma(), PHOTO)), "unusual way"),
        (zipped(("a" * 300 + ".jpg", PHOTO)), "304 bytes"),
        (zipped(("/".join("abcdefghij") + "/a.jpg", PHOTO)), "folders deep"),
        (zipped(("a.jpg", PHOTO), ("A.JPG", PHOTO)), "twice"),
        (zipped(("a.jpg", PHOTO), ("a.jpg/b.jpg", PHOTO)), "both a file and a folder"),
        (zipped(("a.jpg", bytes(3_000_000))), "to 1"),
        (zipped(("notes.txt", b"no photo")), "no photo in it"),
        (encrypted(), "encrypted"),
        (overlapping(), "share the same bytes"),
        (zip64(), "ZIP64"),
        (claiming(60_000), "60,000 entries"),
        (io.BytesIO(b""), "no ZIP archive"),
        (io.BytesIO(b"%PDF-1.7 and so on"), "no ZIP archive"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_archive_is_refused_in_words(archive: io.BytesIO, told: str, into: Path) -> None:
    """Each gets a sentence that names it, and nothing is written outside the folder."""
    before = outside(into)

    with pytest.raises(InputUnreadable, match=told) as refused:
        unpack(archive, "plants.zip", into)

    assert str(refused.value).startswith("plants.zip: ")
    assert str(refused.value).isprintable()
    assert outside(into) == before


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(files=2), "3 photos; at most 2"),
        (Limits(file_bytes=10), "at most"),
        (Limits(total_bytes=40), "unfolds to"),
        (Limits(archive_bytes=100), "are unpacked"),
    ],
)
def test_every_limit_is_kept(limits: Limits, told: str, into: Path) -> None:
    """Number, size of one, size of all, and the archive's own size."""
    archive = zipped(*((f"{letter}.jpg", PHOTO) for letter in "abc"))

    with pytest.raises(InputUnreadable, match=told):
        unpack(archive, "plants.zip", into, limits)


def test_a_lie_about_the_size_is_found_out(into: Path) -> None:
    """An entry that unfolds to more than it declares is given up."""
    data = bytearray(zipped(("a.jpg", b"x" * 4000)).getvalue())
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 10)

    with pytest.raises(InputUnreadable, match="damaged"):
        unpack(io.BytesIO(data), "plants.zip", into)


@settings(max_examples=200)
@given(st.data())
def test_damage_is_refused_and_never_an_accident(data: st.DataObject) -> None:
    """Whatever bytes of an archive are changed: it is unpacked inside, or refused in words."""
    whole = bytearray(zipped(("Quercus robur/a.jpg", PHOTO), ("b/c.png", b"12345")).getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))

    try:
        with unpacked(io.BytesIO(whole), "plants.zip") as found:
            inside = all(path.is_relative_to(found.root) for path in found.files)
    except InputUnreadable:
        inside = True

    assert inside
