"""The lines of a table in a plain, gzipped or zipped file, one at a time: memory stays constant."""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, cast

from plantid_core.errors import InputUnreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LONGEST_LINE = 1 << 20
_BUFFER = 1 << 16
# Tables of names shrink to a fifth or a tenth; what grows more than this is made to fill a machine.
_MOST_GROWTH = 200
_GROWTH_LOOKED_AT_EVERY = 1 << 20
_MEMBERS_LOOKED_AT = 50
_TABLES = (".csv", ".tsv", ".txt")
# An archive's names may be no UTF-8 although it says so; a compression that zipfile does not know is a
# NotImplementedError.
_DAMAGED = (
    EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile,
    NotImplementedError, UnicodeDecodeError,
)  # fmt: skip


class Lines:
    """The lines of one table, its first among them; ``done`` of ``total`` bytes on disk are read."""

    def __init__(self, path: Path, raw: IO[bytes], table: IO[bytes]) -> None:
        self._path = path
        self._raw = raw
        self._table = table
        self._read = self._looked_at = 0
        self.total = path.stat().st_size
        self.first = self._next()

    @property
    def done(self) -> int:
        """Return how many bytes of the file are read; of a compressed one, as it lies on disk."""
        return min(self._raw.tell(), self.total)

    def __iter__(self) -> Iterator[str]:
        """Yield the lines after the first, without their ends.

        Raises `InputUnreadable` for a damaged file, an endless line, and a bomb.
        """
        while line := self._next():
            yield line.rstrip("\r\n")

    def _next(self) -> str:
        try:
            line = self._table.readline(_LONGEST_LINE + 1)
        except _DAMAGED as error:
            raise InputUnreadable(str(self._path), "it is damaged or ends too early.") from error
        except OSError as error:
            raise InputUnreadable(str(self._path), f"{error.strerror or error}.") from error
        self._read += len(line)
        if len(line) > _LONGEST_LINE:
            reason = f"a line has more than {_LONGEST_LINE:,} bytes: this is no table of names."
            raise InputUnreadable(str(self._path), reason)
        if self._read > self._looked_at + _GROWTH_LOOKED_AT_EVERY:
            self._look_at_growth()
        return line.decode("utf-8", "replace")

    def _look_at_growth(self) -> None:
        self._looked_at = self._read
        if self._read > _MOST_GROWTH * self._raw.tell():
            reason = f"it unpacks to more than {_MOST_GROWTH} times its size: no table does."
            raise InputUnreadable(str(self._path), reason)


@contextmanager
def open_lines(path: Path, wanted: Callable[[str], bool]) -> Iterator[Lines]:
    """Open the table; of a zip archive, the first member whose first line is ``wanted``.

    Nothing is unpacked to disk. Raises `InputUnreadable` where there is no such file or table.
    """
    if not path.is_file():
        there = "it is no file" if path.exists() else "there is no such file"
        raise InputUnreadable(str(path), f"{there}.")
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise InputUnreadable(str(path), f"{error.strerror}.") from error
        yield _opened(path, raw, stack, wanted)


def _opened(path: Path, raw: IO[bytes], stack: ExitStack, wanted: Callable[[str], bool]) -> Lines:
    start = raw.read(4)
    raw.seek(0)
    if start.startswith(b"PK"):
        return _member(path, raw, stack, wanted)
    if start.startswith(b"\x1f\x8b"):
        unpacked = stack.enter_context(gzip.GzipFile(fileobj=raw))
        return Lines(path, raw, io.BufferedReader(unpacked, _BUFFER))
    return Lines(path, raw, raw)


def _member(path: Path, raw: IO[bytes], stack: ExitStack, wanted: Callable[[str], bool]) -> Lines:
    try:
        archive = stack.enter_context(zipfile.ZipFile(raw))
    except _DAMAGED as error:
        raise InputUnreadable(str(path), "it is no zip archive, or a damaged one.") from error
    tables = [found for found in archive.infolist() if found.filename.lower().endswith(_TABLES)]
    for found in tables[:_MEMBERS_LOOKED_AT]:
        if found.flag_bits & 1:
            raise InputUnreadable(str(path), "it is encrypted: unpack it first.")
        try:
            member = stack.enter_context(archive.open(found))
        except _DAMAGED as error:
            raise InputUnreadable(str(path), "it is damaged.") from error
        lines = Lines(path, raw, io.BufferedReader(cast("io.RawIOBase", member), _BUFFER))
        if wanted(lines.first):
            return lines
    held = ", ".join(found.filename for found in archive.infolist()[:5]) or "nothing"
    reason = (
        "no table of names is in this archive. Looked for wcvp_names.csv, Taxon.tsv or a file with"
        f" their columns; it holds {held[:200]}."
    )
    raise InputUnreadable(str(path), reason)
