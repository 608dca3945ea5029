"""A backup is brought back whole: nothing is touched before all of it is proved to be what was saved."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from plantid_core.errors import (
    HistoryUnavailable,
    InputUnreadable,
    ObservationRefused,
    PlantIDError,
)
from plantid_core.store.backup import layout
from plantid_core.store.backup.read import digest, members, proved, require_space
from plantid_core.store.history.history import FILE_NAME, History
from plantid_core.store.hold import LOCK, in_use

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from typing import IO

_STAGED = ".restoring"
_CHUNK = 1 << 20
_UNREADABLE = {
    "damaged": "its observations cannot be read.",
    "newer": "it was made by a newer version of this app: use that one.",
}


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back; ``moved_to`` is where the data lies that was there before."""

    observations: int
    photos: int
    moved_to: Path | None = None


def restore_backup(
    archive: Path, data_dir: Path, history: History, *, force: bool = False
) -> Restored:
    """Bring a backup back into a data directory, and return what it held.

    ``history`` is the database that the settings name. Raises `InputUnreadable` for a file that is
    no whole backup, and `PlantIDError` where the directory is in use, holds anything (``force``: that is
    moved aside then, never deleted), or the database is not empty: nothing was touched then.
    """
    if in_use(data_dir):
        raise PlantIDError(f"{data_dir} is in use: stop the app first, then restore.")
    data_dir = data_dir.resolve()  # where a link leads is what is exchanged, not the link
    try:
        occupied = _occupied(data_dir)
        if occupied and not force:
            raise PlantIDError(
                f"{data_dir} holds data already. Give another PLANTID_DATA_DIR, or --force to move"
                " what is there aside."
            )
        target = _target_of(history, data_dir)
        promised = proved(archive)
        return _put_in_place(archive, data_dir, promised, target, occupied=occupied)
    except OSError as error:
        raise PlantIDError(f"{data_dir} could not be written: {error.strerror}.") from error


def _target_of(history: History, data_dir: Path) -> History | Path:
    """Return where in the data directory its file lies, or else the history; raises where it holds any."""
    file = history.path.resolve() if history.path else None
    if file is not None and file.is_relative_to(data_dir):
        return file.relative_to(data_dir)
    if history.owners():
        raise PlantIDError(
            "The database of observations holds some already: a backup goes into an empty one."
        )
    return history


def _put_in_place(
    archive: Path,
    data_dir: Path,
    promised: dict[str, layout.Member],
    target: History | Path,
    *,
    occupied: bool,
) -> Restored:
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    # A mounted directory cannot be renamed: what is in it is, then.
    mounted = data_dir.is_mount()
    stage = tempfile.mkdtemp(prefix=_STAGED, dir=data_dir if mounted else data_dir.parent)
    staged = Path(stage)
    try:
        require_space(archive, promised, staged)
        _unpack(archive, staged, promised)
        with ExitStack() as undo:
            observations = _rows_of(archive, staged, target, undo)
            aside = _aside(data_dir, mounted=mounted) if occupied else None
            if mounted:
                if aside is not None:
                    aside.mkdir(mode=0o700)
                    _move_all(data_dir, aside, but={aside.name, staged.name})
                _move_all(staged, data_dir)
            else:
                _exchange(staged, data_dir, aside)
            undo.pop_all()
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    photos = sum(layout.PHOTO.fullmatch(name) is not None for name in promised)
    return Restored(observations, photos, aside)


def _exchange(staged: Path, data_dir: Path, aside: Path | None) -> None:
    if aside is None:
        shutil.rmtree(data_dir, ignore_errors=True)  # it holds a lock at most
        staged.rename(data_dir)
        return
    data_dir.rename(aside)
    try:
        staged.rename(data_dir)
    except OSError:
        aside.rename(data_dir)
        raise


def _unpack(archive: Path, staged: Path, promised: dict[str, layout.Member]) -> None:
    for name, content in members(archive):
        if name == layout.MANIFEST:
            continue
        # The file may have been changed since it was proved.
        if name not in promised:
            raise InputUnreadable(str(archive), "it changed while it was read.")
        target = _target(staged, name)
        with _created(target) as file:
            while chunk := content.read(_CHUNK):
                file.write(chunk)
            file.seek(0)
            if digest(file) != promised[name].sha256:
                raise InputUnreadable(str(archive), "it changed while it was read.")
        if photo := layout.PHOTO.fullmatch(name):
            _record(staged, target, photo[1], photo[2])


def _target(staged: Path, name: str) -> Path:
    photo = layout.PHOTO.fullmatch(name)
    if photo is None:
        return staged / name
    return staged / "photos" / "blobs" / photo[2][:2] / f"{photo[2]}.jpg"


def _record(staged: Path, blob: Path, owner_folder: str, photo_id: str) -> None:
    """Make the owner's record of a photo: a hard link, as `PhotoStore` has it."""
    record = staged / "photos" / "owners" / owner_folder / f"{photo_id}.jpg"
    _make_private(record.parent)
    record.hardlink_to(blob)


def _created(path: Path) -> IO[bytes]:
    _make_private(path.parent)
    flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "w+b")


def _make_private(folder: Path) -> None:
    if not folder.is_dir():
        _make_private(folder.parent)
        folder.mkdir(mode=0o700)


def _rows_of(archive: Path, staged: Path, target: History | Path, undo: ExitStack) -> int:
    try:
        return _rows_in_place(staged, target, undo)
    except (ObservationRefused, LookupError, TypeError, ValueError):  # lines that no dump wrote
        reason = _UNREADABLE["damaged"]
    except HistoryUnavailable as error:
        # The sentence would tell of a file that is gone by then.
        told = _UNREADABLE.get(error.reason)
        if told is None:
            raise
        reason = told
    raise InputUnreadable(str(archive), reason)


def _rows_in_place(staged: Path, target: History | Path, undo: ExitStack) -> int:
    """Bring the rows to where they are kept, SQLite's file or a database; return how many there are."""
    rows = staged / layout.ROWS
    database = target if isinstance(target, History) else None
    with History(staged / FILE_NAME) as own:
        if rows.exists():
            with rows.open("rb") as lines:
                told = (orjson.loads(line) for line in lines)
                count = _load(database, told, undo) if database else own.load(told)
            rows.unlink()
        else:
            records = cast("Generator[dict[str, Any]]", own.dump())
            with closing(records):
                count = _load(database, records, undo) if database else sum(1 for _ in records)
    if isinstance(target, Path):
        _make_private((staged / target).parent)
        (staged / FILE_NAME).rename(staged / target)
        return count
    for path in staged.glob(f"{FILE_NAME}*"):
        path.unlink()
    return count


def _load(database: History, records: Iterable[dict[str, Any]], undo: ExitStack) -> int:
    """Add all of the rows; ``undo`` takes away again what was added."""
    added: dict[str, list[str]] = {}

    def noted() -> Iterator[dict[str, Any]]:
        for record in records:
            observation = record["observation"]
            added.setdefault(observation["owner"], []).append(observation["id"])
            yield record

    def take_away() -> None:
        for owner, ids in added.items():
            database.delete(owner, ids)

    undo.callback(take_away)
    return database.load(noted())


def _occupied(data_dir: Path) -> bool:
    return data_dir.exists() and any(path.name != LOCK for path in data_dir.iterdir())


def _aside(data_dir: Path, *, mounted: bool) -> Path:
    moment = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%f}"
    name = f"before-restore-{moment}"
    return data_dir / name if mounted else data_dir.with_name(f"{data_dir.name}.{name}")


def _move_all(folder: Path, to: Path, but: frozenset[str] | set[str] = frozenset()) -> None:
    for path in sorted(folder.iterdir()):
        if path.name not in but:
            path.rename(to / path.name)
