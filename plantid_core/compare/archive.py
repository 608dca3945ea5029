"""A ZIP file of folders named for species, unpacked where nothing in it can reach beyond its place."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Final

from plantid_core.errors import InputUnreadable
from plantid_core.upload.policy import FORMAT_OF_EXTENSION, MIB, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_FILES: Final = 5_000
MOST_BYTES: Final = 1024 * MIB

_LONGEST = 100
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def unpack(archive: BinaryIO, name: str, into: Path) -> int:
    """Write the archive's photos to ``into/species/photo`` and return how many there are.

    Of each path only the photo's name and its folder's count, wherever they lie; whatever is no photo
    by its name is passed over. Raises `InputUnreadable` for what is no ZIP file, or holds too much.
    """
    written, count, most = 0, 0, Policy().max_bytes
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry, species, photo in _photos(opened):
                count += 1
                with opened.open(entry) as file:
                    # One more than a photo may have: the upload chain refuses it by name.
                    data = file.read(most + 1)
                written += len(data)
                if count > MOST_FILES or written > MOST_BYTES:
                    reason = (
                        f"It holds more than {MOST_FILES:,} photos or {MOST_BYTES // MIB:,} MB."
                    )
                    raise InputUnreadable(name, f"{reason} Give it in parts.")
                folder = into / species
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / photo
                if path.exists():
                    path = folder / f"{count} {photo}"
                path.write_bytes(data)
    except _BROKEN as error:
        raise InputUnreadable(
            name, "It is no ZIP file, is damaged, or needs a password."
        ) from error
    except OSError as error:
        raise InputUnreadable(name, f"It cannot be unpacked: {error.strerror}.") from error
    if not count:
        reason = "There is no photo in a folder in it. Name folders for species."
        raise InputUnreadable(name, reason)
    return count


def _photos(opened: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str, str]]:
    for entry in opened.infolist():
        parts = PurePosixPath(entry.filename.replace("\\", "/")).parts
        if entry.is_dir() or len(parts) < 2 or "__MACOSX" in parts:  # noqa: PLR2004 - folder, photo
            continue
        species, photo = _plain(parts[-2]), _plain(parts[-1])
        suffix = photo.rpartition(".")[2].lower()
        if species and suffix in FORMAT_OF_EXTENSION and not photo.startswith("."):
            yield entry, species, photo


def _plain(text: str) -> str:
    """Return the part of a path without what a file system or a terminal could take amiss."""
    kept = "".join(char for char in text if char.isprintable() and char not in '/\\:*?"<>|')
    return "" if kept.strip(" .") == "" else kept[-_LONGEST:].strip()
