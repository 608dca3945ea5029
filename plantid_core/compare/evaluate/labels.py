"""Labelled photos, read from folders named for species or from a CSV file."""

from __future__ import annotations

import csv
import io
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plantid_core.compare.evaluate.label import Labelled, labelled, says_no_plant
from plantid_core.errors import InputUnreadable, NameUnparsable
from plantid_core.upload.policy import FORMAT_OF_EXTENSION, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.compare.names.values import Reconciler

MOST: Final = 20_000

_MOST_BYTES = 32 * MIB
_FILE, _NAME, _PLANT = "file", "scientific_name", "is_plant"
_YES_NO = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_DELIMITERS = ",;\t"


def read(path: Path, names: Reconciler, most: int = MOST) -> tuple[Labelled, ...]:
    """Return the labelled photos of a folder, or of a CSV file, in a stable order.

    A folder holds ``species name/photo.jpg`` (underscores are read as blanks; hidden files and what is
    no photo by its name are passed over; photos that lie deeper are refused). A CSV file has the columns
    ``file``, relative to itself, and ``scientific_name``, and may have ``is_plant`` (1 or 0); others are
    not looked at. "Not a plant" is a label too. Raises `InputUnreadable`, which names the row or folder
    and what is wrong with it.
    """
    try:
        each = _of_folder(path, names) if path.is_dir() else _of_table(path, names)
        found = tuple(itertools.islice(each, most + 1))
    except OSError as error:
        raise InputUnreadable(str(path), f"It cannot be read ({error.strerror}).") from error
    if len(found) > most:
        reason = f"It has more than {most:,} labelled photos, the most that are evaluated at once."
        raise InputUnreadable(str(path), reason)
    if not found:
        reason = "There is no labelled photo in it. Name folders for species, or give a CSV file."
        raise InputUnreadable(str(path), reason)
    return found


def _of_folder(root: Path, names: Reconciler) -> Iterator[Labelled]:
    for entry in sorted(root.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _of_species(root, entry, names)
        elif _is_photo(entry):
            reason = (
                f"The photo {entry.name!r} lies in no folder named for its species. Put it into one,"
                " or give a CSV file with the columns file and scientific_name."
            )
            raise InputUnreadable(str(root), reason)


def _of_species(root: Path, folder: Path, names: Reconciler) -> Iterator[Labelled]:
    inside = sorted(folder.iterdir())
    for one in inside:
        if one.is_dir() and not one.name.startswith(".") and any(map(_is_photo, one.iterdir())):
            reason = (
                f"The photos in {one.relative_to(root).as_posix()!r} lie a folder too deep. Put them"
                " right into the folder named for their species."
            )
            raise InputUnreadable(str(root), reason)
    photos = [one for one in inside if _is_photo(one)]
    label = " ".join(_printable(folder.name).replace("_", " ").split())
    for photo in photos:
        file = _printable(photo.relative_to(root).as_posix())
        _require_within(root, photo, f"The photo {file!r}", str(root))
        try:
            yield labelled(file, photo, label, names)
        except NameUnparsable as error:
            raise InputUnreadable(str(root), f"The folder {folder.name!r}: {error}") from error


def _printable(name: str) -> str:
    r"""Return a file's name as text: bytes that are no UTF-8 are written as ``\xff``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_photo(path: Path) -> bool:
    suffix = path.suffix.lower().removeprefix(".")
    return suffix in FORMAT_OF_EXTENSION and not path.name.startswith(".") and path.is_file()


def _of_table(path: Path, names: Reconciler) -> Iterator[Labelled]:
    root, seen = path.parent, dict[Path, int]()
    for number, row in _rows(path):
        where = f"Row {number}"
        file, label = row[_FILE], row[_NAME]
        plant = _plant(path, where, row)
        if not file:
            raise InputUnreadable(str(path), f"{where}: the column {_FILE} is empty.")
        photo = _photo(path, where, file)
        real = photo.resolve()
        if real in seen:
            reason = f"{where}: {file!r} is in row {seen[real]} already. List a photo once."
            raise InputUnreadable(str(path), reason)
        seen[real] = number
        try:
            yield labelled(os.path.relpath(photo, root), photo, label, names, plant=plant)
        except NameUnparsable as error:
            raise InputUnreadable(str(path), f"{where}: {error}") from error


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with something in it, its number counted as a spreadsheet does."""
    text = _text(path)
    heading = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = _columns(path, next(reader, []))
        for number, cells in enumerate(reader, start=2):
            if any(cell.strip() for cell in cells):
                yield (
                    number,
                    {
                        name: cells[at].strip() if at < len(cells) else ""
                        for name, at in columns.items()
                    },
                )
    except csv.Error as error:
        raise InputUnreadable(str(path), f"Line {reader.line_num} is no CSV ({error}).") from error


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        reason = f"It is larger than {_MOST_BYTES // MIB} MB: no list of photos."
        raise InputUnreadable(str(path), reason)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"Byte {error.start} is no UTF-8. Save the table as CSV in UTF-8."
        raise InputUnreadable(str(path), reason) from error
    if "\0" in text:
        raise InputUnreadable(str(path), "It holds zero bytes: no CSV file.")
    return text


def _columns(path: Path, heading: list[str]) -> dict[str, int]:
    found = [cell.strip().casefold() for cell in heading]
    missing = [name for name in (_FILE, _NAME) if name not in found]
    if missing:
        there = ", ".join(cell.strip()[:40] for cell in heading[:12]) or "none"
        reason = f"It lacks the column {' and '.join(missing)}. Its columns: {there}."
        raise InputUnreadable(str(path), reason)
    return {name: found.index(name) for name in (_FILE, _NAME, _PLANT) if name in found}


def _plant(path: Path, where: str, row: dict[str, str]) -> bool:
    told, label = row.get(_PLANT, ""), row[_NAME]
    if told and told.casefold() not in _YES_NO:
        reason = f"{where}: {_PLANT} must be 1 or 0; it is {told[:40]!r}."
        raise InputUnreadable(str(path), reason)
    plant = _YES_NO[told.casefold()] if told else not says_no_plant(label)
    if plant and not label:
        raise InputUnreadable(str(path), f"{where}: the column {_NAME} is empty.")
    if plant and says_no_plant(label):
        reason = f"{where}: {label!r} and {_PLANT} {told} contradict each other."
        raise InputUnreadable(str(path), reason)
    return plant


def _photo(path: Path, where: str, file: str) -> Path:
    photo = path.parent / file
    _require_within(path.parent, photo, f"{where}: {file[:200]!r}", str(path))
    try:
        there = photo.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise InputUnreadable(str(path), f"{where}: there is no file {file[:200]!r}.")
    return photo


def _require_within(root: Path, photo: Path, what: str, told: str) -> None:
    """Raise `InputUnreadable` for a photo, or a link to one, that lies outside the folder."""
    if not photo.resolve().is_relative_to(root.resolve()):
        raise InputUnreadable(told, f"{what} lies outside the folder {root.name or root}.")
