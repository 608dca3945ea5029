"""A backup is read by its headers alone: nothing but plain files is ever taken from it.

The tar is read block by block (POSIX.1-1988, ustar), since a library would unpack what extended headers
hold, however much that is, before anybody could look at it.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import orjson

from plantid_core.errors import InputUnreadable
from plantid_core.store.backup import layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MOST_MANIFEST_BYTES = 256 << 20
_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 1 << 20
_NONE = layout.Member(0, "")


class Source(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """Return up to so many bytes; none at the end."""


class Content:
    """A member's bytes, to be read once, before the next member."""

    def __init__(self, path: Path, source: Source, size: int) -> None:
        self.size = self._left = size
        self._path, self._source = path, source

    def read(self, size: int = -1) -> bytes:
        """Return up to so many bytes (-1: all that are left); raises `InputUnreadable`."""
        wanted = self._left if size < 0 else min(size, self._left)
        with _explained(self._path):
            data = self._source.read(wanted)
        if len(data) < wanted:
            raise _unreadable(self._path)
        self._left -= wanted
        return data

    def finish(self) -> None:
        """Read to where the next header begins."""
        while self.read(_CHUNK):
            pass
        if padding := -self.size % _BLOCK:
            self._source.read(padding)


def members(path: Path) -> Iterator[tuple[str, Content]]:
    """Give the members in order; raises `InputUnreadable` for anything but plain files."""
    with _explained(path), gzip.open(path, "rb") as source:
        yield from _plain_files(path, source)


def _plain_files(path: Path, source: Source) -> Iterator[tuple[str, Content]]:
    while any(header := source.read(_BLOCK)):
        member = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        if not member.isreg() or member.size < 0:
            raise InputUnreadable(str(path), f"{member.name[:80]!r} is no plain file.")
        content = Content(path, source, member.size)
        yield member.name, content
        content.finish()
    # To its end, which holds its checksum.
    if not header or any(source.read(_CHUNK)) or source.read(1):
        raise _unreadable(path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputUnreadable(str(path), "there is no such file.") from None
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError, gzip.BadGzipFile) as error:
        raise _unreadable(path) from error
    except OSError as error:
        raise InputUnreadable(str(path), f"{error.strerror}.") from error


def _unreadable(path: Path) -> InputUnreadable:
    return InputUnreadable(str(path), "it is no backup, or not all of one.")


def proved(path: Path) -> dict[str, layout.Member]:
    """Return the members, once all of them were read and found to be what the manifest promises."""
    found: dict[str, layout.Member] = {}
    promised: dict[str, layout.Member] | None = None
    for name, content in members(path):
        if promised is not None:
            raise InputUnreadable(str(path), f"{name[:80]!r} comes after its manifest.")
        if name == layout.MANIFEST:
            promised = _manifest(path, content)
        elif name in found or not layout.is_member(name):
            raise InputUnreadable(str(path), f"it holds {name[:80]!r}, which no backup does.")
        else:
            found[name] = layout.Member(content.size, digest(content))
    if promised is None:
        raise InputUnreadable(str(path), "it has no manifest: it is no backup, or not all of one.")
    _require_same(path, promised, found)
    return found


def require_space(path: Path, promised: dict[str, layout.Member], folder: Path) -> None:
    """Raise `InputUnreadable` where the disk of ``folder`` has no room for what is promised."""
    needed = sum(member.size for member in promised.values())
    free = shutil.disk_usage(folder).free
    if needed > free:
        reason = f"it needs {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free."
        raise InputUnreadable(str(path), reason)


def digest(content: Source) -> str:
    """Return the sha256 of what is left to read, in hex."""
    found = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        found.update(chunk)
    return found.hexdigest()


def _manifest(path: Path, content: Content) -> dict[str, layout.Member]:
    if content.size > _MOST_MANIFEST_BYTES:
        raise InputUnreadable(str(path), "its manifest is too large.")
    try:
        told = orjson.loads(content.read())
    except orjson.JSONDecodeError:
        raise InputUnreadable(str(path), "its manifest cannot be read.") from None
    return layout.read_manifest(path, told)


def _require_same(
    path: Path, promised: dict[str, layout.Member], found: dict[str, layout.Member]
) -> None:
    for name in sorted(promised.keys() | found.keys()):
        photo = layout.PHOTO.fullmatch(name)
        # A photo's name is its digest: under another it would be damaged as soon as it is kept.
        misnamed = photo is not None and found.get(name, _NONE).sha256 != photo[2]
        if misnamed or promised.get(name) != found.get(name):
            raise InputUnreadable(str(path), f"{name[:80]!r} is not what was saved: it is damaged.")
    if not {layout.SNAPSHOT, layout.ROWS} & found.keys():
        raise InputUnreadable(str(path), "it holds no observations.")
