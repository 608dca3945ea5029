"""Folders and tables of labelled photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plantid_core.compare.evaluate.labels import read
from plantid_core.compare.names.reconcile import shipped
from plantid_core.errors import InputUnreadable

if TYPE_CHECKING:
    from pathlib import Path


def table(folder: Path, text: str, *photos: str, encoding: str = "utf-8") -> Path:
    """Write the CSV file, and empty photos beside it."""
    for name in photos:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    path = folder / "labels.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_a_table_tells_species_genus_and_no_plant(tmp_path: Path) -> None:
    """A genus is scored at genus, "not a plant" as rejection; other columns are not looked at."""
    text = (
        "file,organ,scientific_name,is_plant\n"
        "a.jpg,leaf,Prunus serrulata Lindl.,1\n"
        "b.jpg,,Tsuga sp.,1\n"
        "sub/c.jpg,,Not a plant,\n"
        "d.jpg,,Amanita muscaria,0\n"
        "e.jpg,,Rosa cf. canina,1\n"
    )
    found = read(table(tmp_path, text, "a.jpg", "b.jpg", "sub/c.jpg", "d.jpg", "e.jpg"), shipped())

    assert [one.level for one in found] == [
        "species",
        "genus",
        "not_a_plant",
        "not_a_plant",
        "genus",
    ]
    assert [one.species for one in found] == ["prunus serrulata", None, None, None, None]
    assert [one.genus for one in found] == ["prunus", "tsuga", None, None, "rosa"]
    assert found[2].file == "sub/c.jpg"


def test_folders_are_named_for_species(tmp_path: Path) -> None:
    """Underscores are blanks; hidden files and what is no photo are passed over."""
    names = ("Prunus serrulata/1.jpg", "Prunus serrulata/2.PNG", "tsuga_canadensis/x.webp",
             "Not a plant/cat.jpg", "Zea mays/notes.txt", "Zea mays/.hidden.jpg", ".git/x.jpg",
             "README.md")  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")

    found = read(tmp_path, shipped())

    assert [(one.file, one.species) for one in found] == [
        ("Not a plant/cat.jpg", None),
        ("Prunus serrulata/1.jpg", "prunus serrulata"),
        ("Prunus serrulata/2.PNG", "prunus serrulata"),
        ("tsuga_canadensis/x.webp", "tsuga canadensis"),
    ]


def test_photos_in_deeper_folders_are_not_passed_over(tmp_path: Path) -> None:
    """Whether they are of that species nobody knows, so they are refused and not left out."""
    deep = tmp_path / "Rosa canina" / "2024"
    deep.mkdir(parents=True)
    (deep / "1.jpg").write_bytes(b"")

    with pytest.raises(InputUnreadable, match="'Rosa canina/2024' lie a folder too deep"):
        read(tmp_path, shipped())


def test_a_file_s_name_that_is_no_text_is_written_as_text(tmp_path: Path) -> None:
    """Names are bytes to the system; tables and JSON hold text."""
    folder = tmp_path / "Rosa canina"
    folder.mkdir()
    try:
        (folder / "a\udcff.jpg").write_bytes(b"")
    except OSError:
        pytest.skip("this file system knows text only")

    (found,) = read(tmp_path, shipped())

    assert found.file == "Rosa canina/a\\xff.jpg"
    assert found.path.is_file()


def test_a_spreadsheet_s_own_csv_is_read(tmp_path: Path) -> None:
    """A byte order mark, semicolons, CRLF, quotes and blank lines are no faults."""
    text = '\ufeffFile;Scientific_Name\r\n"a.jpg";" Citrus × aurantium "\r\n\r\n;\r\n'

    (found,) = read(table(tmp_path, text, "a.jpg"), shipped())

    assert (found.label, found.level) == ("Citrus × aurantium", "species")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lacks the column file and scientific_name"),
        (
            "file,name\na.jpg,Zea mays\n",
            "lacks the column scientific_name. Its columns: file, name",
        ),
        ("file,scientific_name\n", "no labelled photo"),
        ("file,scientific_name\na.jpg,\n", "Row 2: the column scientific_name is empty"),
        ("file,scientific_name\n,Zea mays\n", "Row 2: the column file is empty"),
        ("file,scientific_name\nb.jpg,Zea mays\n", "Row 2: there is no file 'b.jpg'"),
        ("file,scientific_name\n\na.jpg,Zea mays\na.jpg,Zea mays\n", "Row 4: 'a.jpg' is in row 3"),
        ("file,scientific_name\na.jpg,Zea mays\n./a.jpg,Rosa\n", "Row 3: './a.jpg' is in row 2"),
        ("file,scientific_name\n../a.jpg,Zea mays\n", "Row 2: '../a.jpg' lies outside the folder"),
        ("file,scientific_name\n/etc/passwd,Zea mays\n", "Row 2: '/etc/passwd' lies outside"),
        ("file,scientific_name\na.jpg,12 34!\n", "Row 2: '12 34!' is no scientific name"),
        ("file,scientific_name,is_plant\na.jpg,Zea mays,maybe\n", "Row 2: is_plant must be 1 or 0"),
        (
            "file,scientific_name,is_plant\na.jpg,not a plant,1\n",
            "Row 2: 'not a plant' and is_plant 1",
        ),
        ('file,scientific_name\n"a.jpg,Zea mays\n', "is no CSV"),
        ("file,scientific_name\na\0.jpg,Zea mays\n", "zero bytes"),
    ],
)
def test_a_table_s_fault_is_named_with_its_row(tmp_path: Path, text: str, said: str) -> None:
    """What is wrong, and where."""
    path = table(tmp_path, text, "a.jpg")

    with pytest.raises(InputUnreadable) as refused:
        read(path, shipped())

    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_other_encodings_are_refused(tmp_path: Path) -> None:
    """Latin 1 would give wrong names, so it is not guessed at."""
    path = table(tmp_path, "file,scientific_name\na.jpg,Zéa mays\n", "a.jpg", encoding="latin-1")

    with pytest.raises(InputUnreadable, match="no UTF-8"):
        read(path, shipped())


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """A labelled folder shows nothing that lies elsewhere."""
    (tmp_path / "secret.jpg").write_bytes(b"")
    root = tmp_path / "set"
    (root / "Zea mays").mkdir(parents=True)
    (root / "Zea mays" / "a.jpg").symlink_to(tmp_path / "secret.jpg")

    with pytest.raises(InputUnreadable, match="lies outside the folder"):
        read(root, shipped())


def test_more_photos_than_fit_are_refused(tmp_path: Path) -> None:
    """The limit is told."""
    path = table(tmp_path, "file,scientific_name\na.jpg,Rosa\nb.jpg,Rosa\n", "a.jpg", "b.jpg")

    with pytest.raises(InputUnreadable, match="has more than 1 labelled photo"):
        read(path, shipped(), most=1)


def test_photos_outside_of_species_folders_are_told_of(tmp_path: Path) -> None:
    """Nothing is left out silently."""
    (tmp_path / "a.jpg").write_bytes(b"")

    with pytest.raises(InputUnreadable, match=r"'a.jpg' lies in no folder named for its species"):
        read(tmp_path, shipped())


def test_a_folder_that_is_no_name_is_told_of(tmp_path: Path) -> None:
    """The folder's name is in the sentence."""
    (tmp_path / "123").mkdir()
    (tmp_path / "123" / "a.jpg").write_bytes(b"")

    with pytest.raises(InputUnreadable, match="The folder '123'"):
        read(tmp_path, shipped())
