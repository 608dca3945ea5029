"""A stranger's ZIP archive of photos, unpacked without believing what it says of itself.

What is checked before a byte is written: the directory's own size, every name, every kind of entry, and the
sizes it declares; what is really unpacked is counted again. The bounds are those that the known attacks
break: D. Fifield, "A better zip bomb", WOOT 2019 (overlapping entries, ZIP64, other compressions).
"""

from __future__ import annotations

import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from plantid_core.errors import InputUnreadable
from plantid_core.upload.policy import FORMAT_OF_EXTENSION, MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

_END, _END_BYTES, _LONGEST_COMMENT = b"PK\5\6", 22, 65_535
_HEADER_BYTES = 30
_ZIP64, _ZIP64_BYTES = b"PK\6\7", 20
_ENCRYPTED: Final = 0x1 | 0x40
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_SUFFIXES: Final = frozenset(FORMAT_OF_EXTENSION) | {"csv"}
# What zipfile raises over archives that contradict themselves.
_DAMAGE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, RuntimeError
)  # fmt: skip
_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# A small text may shrink by as much as it likes.
_SMALL, _CHUNK = MIB, 1 << 16
# What one entry of the directory takes on average, at most.
_ENTRY_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold. ``ratio`` bounds how much an entry above 1 MB may have shrunk."""

    archive_bytes: int = 200 * MIB
    files: int = 5_000
    file_bytes: int = 32 * MIB
    total_bytes: int = 500 * MIB
    ratio: int = 100
    depth: int = 8
    name_bytes: int = 255


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The photos and CSV files of an archive.

    ``root`` is the folder to begin at, below whatever single folder was packed around them all.
    ``passed_over`` are the names of other files: they were not unpacked.
    """

    root: Path
    files: tuple[Path, ...]
    passed_over: tuple[str, ...]


@contextmanager
def unpacked(archive: IO[bytes], name: str, limits: Limits | None = None) -> Iterator[Unpacked]:
    """Unpack into a folder of its own, which is gone when the block ends; raises `InputUnreadable`."""
    with tempfile.TemporaryDirectory(prefix="plantid-archive-") as folder:
        yield unpack(archive, name, Path(folder), limits)


def unpack(archive: IO[bytes], name: str, into: Path, limits: Limits | None = None) -> Unpacked:
    """Unpack the photos and CSV files of a ZIP archive into an empty folder, and nothing outside it.

    ``name`` is what the archive is called in errors. Raises `InputUnreadable`, which names the entry and
    the limit that it breaks; the folder's content is then of no use.
    """
    limits = limits or Limits()
    refuse = _Refusal(name)
    _require_directory(archive, limits, refuse)
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted, others = _chosen(opened.infolist(), limits, refuse)
            files = tuple(_written(opened, wanted, into, limits, refuse))
    except _DAMAGE as error:
        raise refuse("It is no whole ZIP archive, or damaged. Pack it anew.") from error
    except OSError as error:
        reason = error.strerror or "the disk refused it"
        raise refuse(f"It could not be unpacked: {reason}.") from error
    if not files:
        raise refuse("There is no photo in it. Pack JPEG, PNG, WebP or GIF files.")
    return Unpacked(_root(into), files, tuple(others))


@dataclass(frozen=True, slots=True)
class _Refusal:
    name: str

    def __call__(self, reason: str) -> InputUnreadable:
        return InputUnreadable(self.name, reason)


def _require_directory(archive: IO[bytes], limits: Limits, refuse: _Refusal) -> None:
    """Look at the archive's end before its directory is read, which takes memory by its size."""
    size = archive.seek(0, 2)
    if size > limits.archive_bytes:
        told, most = size / MIB, limits.archive_bytes / MIB
        raise refuse(f"It has {told:.0f} MB; at most {most:.0f} MB are unpacked.")
    archive.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT))
    tail = archive.read()
    bare = tail[-_END_BYTES:]
    plain = bare.startswith(_END) and bare.endswith(b"\0\0")
    at = len(tail) - _END_BYTES if plain else tail.rfind(_END)
    end = tail[at : at + _END_BYTES]
    if at < 0 or len(end) < _END_BYTES:
        raise refuse("This is no ZIP archive. Pack the photos into a ZIP file.")
    if tail[max(0, at - _ZIP64_BYTES) :].startswith(_ZIP64):
        raise refuse("It is a ZIP64 archive, made for sizes that are not taken here.")
    entries = int.from_bytes(end[10:12], "little")
    directory = int.from_bytes(end[12:16], "little")
    # Folders and what is passed over are entries as well.
    if entries > 2 * limits.files or directory > 2 * limits.files * _ENTRY_BYTES:
        raise refuse(f"It holds {entries:,} entries; at most {limits.files:,} files are unpacked.")


def _chosen(
    entries: list[zipfile.ZipInfo], limits: Limits, refuse: _Refusal
) -> tuple[dict[PurePosixPath, zipfile.ZipInfo], list[str]]:
    """Return what is to be unpacked, by path, and what is passed over."""
    _require_apart(entries, refuse)
    wanted: dict[PurePosixPath, zipfile.ZipInfo] = {}
    others: list[str] = []
    seen: set[str] = set()
    for entry in entries:
        path = _path(entry, limits, refuse)
        folded = unicodedata.normalize("NFC", str(path)).casefold()
        if folded in seen and not entry.is_dir():
            raise refuse(f"The name {_shown(entry)} is in it twice.")
        seen.add(folded)
        _require_plain(entry, refuse)
        if entry.is_dir():
            continue
        if path.suffix.lower().removeprefix(".") not in _SUFFIXES or _hidden(path):
            others.append(str(path))
            continue
        _require_size(entry, limits, refuse)
        wanted[path] = entry
    for path in wanted:
        if any(parent in wanted for parent in path.parents):
            raise refuse(f"{str(path.parent)!r} is both a file and a folder in it.")
    if len(wanted) > limits.files:
        raise refuse(f"It holds {len(wanted):,} photos; at most {limits.files:,} are unpacked.")
    total = sum(entry.file_size for entry in wanted.values())
    if total > limits.total_bytes:
        told, most = total / MIB, limits.total_bytes / MIB
        raise refuse(f"It unfolds to {told:,.0f} MB; at most {most:,.0f} MB are unpacked.")
    return wanted, others


def _require_apart(entries: list[zipfile.ZipInfo], refuse: _Refusal) -> None:
    """Refuse entries that share bytes: one kernel of data could be unpacked any number of times."""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    for entry, following in pairwise(ordered):
        if entry.header_offset + _HEADER_BYTES + entry.compress_size > following.header_offset:
            raise refuse(f"{_shown(entry)} and {_shown(following)} share the same bytes.")


def _path(entry: zipfile.ZipInfo, limits: Limits, refuse: _Refusal) -> PurePosixPath:
    """Return where an entry goes, below the folder; refuses all that could lead out of it."""
    name = entry.orig_filename
    shown = _shown(entry)
    if any(unicodedata.category(letter) in _INVISIBLE for letter in name):
        raise refuse(f"The name {shown} holds hidden control characters.")
    if name.startswith("/") or "\\" in name or name[1:2] == ":":
        raise refuse(f"The name {shown} leads out of the archive.")
    path = PurePosixPath(name)
    if ".." in path.parts or not path.parts:
        raise refuse(f"The name {shown} leads out of the archive.")
    if len(path.parts) > limits.depth:
        raise refuse(
            f"The name {shown} lies {len(path.parts)} folders deep; {limits.depth} will do."
        )
    longest = max(len(part.encode()) for part in path.parts)
    if longest > limits.name_bytes:
        raise refuse(
            f"The name {shown} has {longest} bytes; at most {limits.name_bytes} are allowed."
        )
    return path


def _require_plain(entry: zipfile.ZipInfo, refuse: _Refusal) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise refuse(f"{_shown(entry)} is a link or a device, not a photo.")
    if entry.flag_bits & _ENCRYPTED:
        raise refuse(f"{_shown(entry)} is encrypted. Pack it without a password.")
    if entry.compress_type not in _METHODS:
        raise refuse(f"{_shown(entry)} is packed in an unusual way. Pack it as a common ZIP file.")


def _require_size(entry: zipfile.ZipInfo, limits: Limits, refuse: _Refusal) -> None:
    if entry.file_size > limits.file_bytes:
        told, most = entry.file_size / MIB, limits.file_bytes / MIB
        raise refuse(f"{_shown(entry)} has {told:,.0f} MB; at most {most:.0f} MB are unpacked.")
    if entry.file_size > _SMALL and entry.file_size > limits.ratio * entry.compress_size:
        shrank = f"{entry.file_size / max(1, entry.compress_size):,.0f}"
        raise refuse(
            f"{_shown(entry)} shrank {shrank} to 1; at most {limits.ratio} to 1 is unpacked."
        )


def _written(
    opened: zipfile.ZipFile,
    wanted: dict[PurePosixPath, zipfile.ZipInfo],
    into: Path,
    limits: Limits,
    refuse: _Refusal,
) -> Iterator[Path]:
    left = limits.total_bytes
    for path, entry in wanted.items():
        target = into / path
        target.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with opened.open(entry) as source, target.open("xb") as file:
            while chunk := source.read(_CHUNK):
                size += len(chunk)
                if size > min(left, limits.file_bytes):
                    raise refuse(f"{_shown(entry)} unfolds to more than it says.")
                file.write(chunk)
        left -= size
        yield target


def _root(folder: Path) -> Path:
    """Return the folder below those that hold nothing but one folder of folders."""
    inside = list(folder.iterdir())
    while len(inside) == 1 and inside[0].is_dir():
        below = list(inside[0].iterdir())
        if not any(one.is_dir() or one.suffix.lower() == ".csv" for one in below):
            break
        folder, inside = inside[0], below
    return folder


def _hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _shown(entry: zipfile.ZipInfo) -> str:
    return ascii(entry.orig_filename[:80])
