"""The photos of a folder, found without following a loop and read without trusting a name."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from plantid_core.errors import InputUnreadable
from plantid_core.upload.chain import Upload, require_size
from plantid_core.upload.policy import FORMAT_OF_EXTENSION, Policy
from plantid_core.upload.rejection import reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The apostrophe is what a reader of the table takes off again (see `export.observations`).
_FORMULA = ("=", "+", "-", "@", "'")


@dataclass(frozen=True, slots=True)
class Found:
    """One file whose name ends like a photo's; ``path`` is relative to the folder, in the system's bytes."""

    path: bytes
    size: int
    mtime_ns: int


@dataclass(slots=True)
class LeftOut:
    """What was not taken for a photo: files of other names, and folders that could not be read."""

    files: int = 0
    folders: list[str] = field(default_factory=list)


def photos_in(directory: Path, left_out: LeftOut) -> Iterator[Found]:
    """Yield the files of the four formats in the folder and below it.

    Links are followed, each folder is entered once; names that begin with a dot are passed over. A
    file whose size cannot be read is yielded with -1. Raises `InputUnreadable` where there is no such
    folder.
    """
    if not directory.is_dir():
        reason = "this is no folder" if directory.exists() else "there is no such folder"
        raise InputUnreadable(str(directory), f"{reason}. Name the folder that holds the photos.")
    entered: set[tuple[int, int]] = set()
    for folder, inner, names in os.walk(directory, followlinks=True, onerror=_noted(left_out)):
        known = Path(folder).stat()
        if (known.st_dev, known.st_ino) in entered:
            inner.clear()
            continue
        entered.add((known.st_dev, known.st_ino))
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            if name.rpartition(".")[2].lower() in FORMAT_OF_EXTENSION:
                yield _found(directory, Path(folder, name))
            else:
                left_out.files += 1


def _noted(left_out: LeftOut) -> Callable[[OSError], None]:
    def note(error: OSError) -> None:
        left_out.folders.append(shown(os.fsencode(error.filename or "")))

    return note


def _found(directory: Path, path: Path) -> Found:
    relative = os.fsencode(path.relative_to(directory))
    try:
        known = path.stat()
    except OSError:  # a link to nothing, most often
        return Found(relative, -1, 0)
    return Found(relative, known.st_size, known.st_mtime_ns)


def read(directory: Path, path: bytes, policy: Policy) -> Upload:
    """Return the file; raises `UploadRejected` by its kind or size, OSError where it cannot be read."""
    whole = directory / os.fsdecode(path)
    known = whole.stat()
    if not stat.S_ISREG(known.st_mode):
        raise reject("not_a_file", detected="a special file")
    require_size(known.st_size, policy)
    with whole.open("rb") as file:
        return Upload(file.read(policy.max_bytes + 1), whole.name)


def shown(path: bytes) -> str:
    r"""Return a path as text that UTF-8 can hold, and that no spreadsheet takes for a formula.

    Bytes that are no UTF-8 become ``\xNN``; a path that begins like a formula gets ``./`` before it,
    which leaves it the same path.
    """
    text = path.decode("utf-8", "backslashreplace")
    return f"./{text}" if text.startswith(_FORMULA) else text
