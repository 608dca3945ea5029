"""A backup is brought back whole: nothing is touched before all of it is proved to be what was saved."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from contextlib import ExitStack, closing, contextmanager
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
from plantid_core.store.backup import layout, people
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
    """What was brought back; ``moved_to`` is where the data lies that was there before.

    ``unsure`` tells that this could not be asked who was deactivated since the backup.
    """

    observations: int
    photos: int
    people: int
    moved_to: Path | None = None
    unsure: bool = False


def restore_backup(
    archive: Path, data_dir: Path, history: History, *, force: bool = False
) -> Restored:
    """Bring a backup back into a data directory, and return what it held.

    ``history`` is the database that the settings name. Raises `InputUnreadable` for a file that is
    no whole backup, and `PlantIDError` where the directory is in use, holds anything (``force``: that is
    moved aside then, never deleted), or the database is not empty: nothing was touched then.
    Whoever was deactivated stays so, by the backup or by what is there.
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
            rows = _rows_of(archive, staged, target, undo)
            unsure = not isinstance(target, History) and not _stay_out(data_dir, staged, target)
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
    return Restored(rows.observations, photos, rows.people, aside, unsure)


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


@dataclass(frozen=True, slots=True)
class _Rows:
    """How many of each there are."""

    observations: int
    people: int


def _rows_of(archive: Path, staged: Path, target: History | Path, undo: ExitStack) -> _Rows:
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


def _rows_in_place(staged: Path, target: History | Path, undo: ExitStack) -> _Rows:
    """Bring the rows to where they are kept, SQLite's file or a database; return how many there are."""
    database = target if isinstance(target, History) else None
    with History(staged / FILE_NAME) as own:
        # Whatever made the file: a token that was revoked since must not be good again.
        people.forget_secrets(own.database)
        with _lines(staged / layout.ROWS) as told:
            if told is not None:
                count = _load(database, told, undo) if database else own.load(told)
            else:
                records = cast("Generator[dict[str, Any]]", own.dump())
                with closing(records):
                    count = _load(database, records, undo) if database else sum(1 for _ in records)
        with _lines(staged / layout.PEOPLE) as told:
            persons = people.people_of(own.database) if told is None else list(told)
        _load_people(database or own, persons, undo)
    if isinstance(target, Path):
        _make_private((staged / target).parent)
        (staged / FILE_NAME).rename(staged / target)
        return _Rows(count, len(persons))
    for path in staged.glob(f"{FILE_NAME}*"):
        path.unlink()
    return _Rows(count, len(persons))


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[dict[str, Any]] | None]:
    """Give the objects of a file of JSON lines, which is gone after; None where there is no such file."""
    if not path.exists():
        yield None
        return
    with path.open("rb") as lines:
        yield (orjson.loads(line) for line in lines)
    path.unlink()


def _load_people(database: History, persons: list[dict[str, Any]], undo: ExitStack) -> None:
    loaded = people.load_people(database.database, persons)
    undo.callback(lambda: people.take_back(database.database, loaded))


def _stay_out(data_dir: Path, staged: Path, file: Path) -> bool:
    """Deactivate whom the database that goes aside lets in no more; tell whether it could be asked."""
    out = people.deactivated_in(data_dir / file)
    if out:
        with History(staged / file) as own:
            people.load_people(own.database, out)
    return out is not None


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
