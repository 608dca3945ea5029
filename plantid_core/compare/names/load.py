"""A published table of names made the workbench's own."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from plantid_core.compare.names.formats import DARWIN_CORE, WCVP, Format, Row, recognise
from plantid_core.compare.names.lines import Lines, open_lines
from plantid_core.compare.names.loaded import FILE_NAME, FORMAT, INDEXES, SCHEMA
from plantid_core.errors import InputUnreadable, PlantIDError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 5000
_PART = ".part"
_INSERT = "INSERT INTO names VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_FAST = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32000;"


@dataclass(frozen=True, slots=True)
class Loading:
    """What was loaded: ``names`` in all, ``synonyms`` among them; ``skipped`` rows are no names.

    No names of plants, that is: GBIF's backbone has animals, formulas and codes as well.
    """

    kind: str
    names: int
    synonyms: int
    skipped: int

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return asdict(self)


class Tell(Protocol):
    """Is told how far the loading is."""

    def __call__(self, done: int, total: int, names: int) -> None:
        """Take the bytes read, all bytes, and the names so far; done equals total at the end."""


def load(path: Path, data_dir: Path, tell: Tell | None = None) -> Loading:
    """Read a table of names into ``data_dir``, in place of the one loaded before.

    Takes WCVP's ``wcvp_names.csv``, GBIF's backbone (``simple.txt``, ``Taxon.tsv``) and Darwin Core
    taxa, plain, gzipped or in a zip archive, of any size. Until the whole is read the old one stays;
    where anything fails, for good. Raises `InputUnreadable`, and `PlantIDError` where the directory
    cannot be written or another loading is under way.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(data_dir), _written_beside(data_dir / FILE_NAME) as part:
            return _load(path, part, tell or _nobody)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PlantIDError(f"{data_dir / FILE_NAME} could not be written: {reason}.") from error


def _nobody(done: int, total: int, names: int) -> None:
    del done, total, names


def _load(path: Path, part: Path, tell: Tell) -> Loading:
    with (
        open_lines(path, lambda first: recognise(first) is not None) as lines,
        closing(sqlite3.connect(part, isolation_level=None)) as base,
    ):
        format_ = recognise(lines.first)
        if format_ is None:
            raise InputUnreadable(str(path), _unknown(lines.first))
        base.executescript(_FAST + SCHEMA)
        loading = _fill(base, lines, format_, tell)
        if not loading.names:
            raise InputUnreadable(str(path), "its columns are right, but no plant's name is in it.")
        base.executescript(INDEXES)
        about = {"format": FORMAT, "gbif": int(format_.gbif), **loading.to_dict()}
        base.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        tell(lines.total, lines.total, loading.names)
    return loading


def _fill(base: sqlite3.Connection, lines: Lines, format_: Format, tell: Tell) -> Loading:
    families: dict[str, int] = {}
    names = synonyms = seen = 0
    text = chain((lines.first.rstrip("\r\n"),) if format_.headless else (), lines)
    base.execute("BEGIN")
    while batch := list(islice(text, _BATCH)):
        rows = [row for row in map(format_.row, batch) if row]
        base.executemany(_INSERT, (_stored(row, families) for row in rows))
        seen += len(batch)
        names += len(rows)
        synonyms += sum(row.synonym for row in rows)
        tell(lines.done, lines.total, names)
    base.executemany("INSERT INTO families VALUES (?, ?)", _numbered(families))
    # GBIF's simple.txt gives each name's family by that family's own id.
    base.execute(
        "INSERT OR IGNORE INTO families SELECT id, name FROM names"
        " WHERE rank = 'family' AND typeof(id) = 'integer' AND ?",
        (format_.headless,),
    )
    base.execute("COMMIT")
    return Loading(format_.kind, names, synonyms, seen - names)


def _numbered(families: dict[str, int]) -> Iterator[tuple[int, str]]:
    return ((number, name) for name, number in families.items())


def _stored(row: Row, families: dict[str, int]) -> tuple[object, ...]:
    family = row.family
    if isinstance(family, str):
        family = families.setdefault(family, len(families) + 1)
    return (*row[:5], family, row.accepted, int(row.synonym))


def _unknown(first: str) -> str:
    found = " ".join(first.lstrip("\ufeff").replace("|", "\t").split())[:80]
    if not found.isprintable():
        found = "no text"
    return (
        "this is no table of names. Looked for the columns of WCVP (" + ", ".join(WCVP)
        + "), of Darwin Core (" + ", ".join(DARWIN_CORE)
        + f") and for the 30 of GBIF's simple.txt; the first line is: {found or 'empty'}."
    )  # fmt: skip


@contextmanager
def _alone(data_dir: Path) -> Iterator[None]:
    """Let one loading write to the directory at a time, and clear what a killed one left."""
    with (data_dir / f"{FILE_NAME}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = "Another loading of names is under way: wait for it, then try again."
            raise PlantIDError(message) from None
        for left in data_dir.glob(f"{FILE_NAME}.*{_PART}"):
            left.unlink(missing_ok=True)
        yield


@contextmanager
def _written_beside(path: Path) -> Iterator[Path]:
    """Give a new file that takes the path's place at the end, whole; after an error there is none."""
    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=_PART, dir=path.parent)
    part = Path(name)
    try:
        yield part
        os.fsync(handle)
        part.replace(path)
    finally:
        os.close(handle)
        part.unlink(missing_ok=True)
