"""A backup is taken while others keep and delete: it holds what was there at one moment."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from plantid_core.errors import (
    HistoryUnavailable,
    ObservationNotFound,
    PhotoDamaged,
    PhotoNotFound,
    PlantIDError,
)
from plantid_core.store.backup import layout, people
from plantid_core.store.history.history import History
from plantid_core.store.whole import whole_file

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator
    from typing import IO

    from plantid_core.store.photos import PhotoStore

    Progress = Callable[[int, int], None]

_ATTEMPTS = 5
_COMPRESSION = 1  # photos are compressed already


@dataclass(slots=True)
class Written:
    """What a backup holds; ``damaged`` photos could not be read, ``left_out`` names what was not wanted."""

    observations: int = 0
    photos: int = 0
    people: int = 0
    size_bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


class _Vanished(Exception):
    """A photo of the snapshot was deleted meanwhile, with its observation."""


def write_backup(
    out: Path,
    data_dir: Path,
    history: History,
    photos: PhotoStore,
    *,
    now: dt.datetime,
    progress: Progress = lambda _done, _of: None,
) -> Written:
    """Write the backup, readable by its owner alone, and return what it holds.

    Observations come first and their photos after, so that none lacks its photo; where its owner
    deletes one of them meanwhile, the backup is begun anew, for what is deleted shall be in none.
    ``progress`` is told of photos done, and of how many there are. Raises `PlantIDError` where the
    file cannot be written, and `HistoryUnavailable`.
    """
    for _ in range(_ATTEMPTS):
        try:
            with (
                tempfile.TemporaryDirectory(prefix="plantid-") as folder,
                whole_file(out) as file,
            ):
                attempt = _Backup(data_dir, history, photos, Path(folder), progress)
                attempt.write(file, now)
            attempt.done.size_bytes = out.stat().st_size
        except _Vanished:
            continue
        return attempt.done
    raise PlantIDError("Photos are being deleted faster than a backup is made: try again later.")


class _Backup:
    """One attempt."""

    def __init__(
        self,
        data_dir: Path,
        history: History,
        photos: PhotoStore,
        scratch: Path,
        progress: Progress,
    ) -> None:
        self.done = Written()
        self._data_dir, self._history, self._photos = data_dir, history, photos
        self._scratch, self._progress = scratch, progress
        self._members: dict[str, layout.Member] = {}
        # Photo by member's name: whose, of which observation.
        self._wanted: dict[str, tuple[str, str, str]] = {}

    def write(self, file: IO[bytes], now: dt.datetime) -> None:
        with tarfile.open(
            fileobj=file, mode="w:gz", compresslevel=_COMPRESSION, format=tarfile.USTAR_FORMAT
        ) as archive:
            for name in self._snapshot():
                self._add_file(archive, name, self._scratch / name)
            for number, name in enumerate(self._wanted):
                self._progress(number, len(self._wanted))
                self._add_photo(archive, name)
            self._progress(len(self._wanted), len(self._wanted))
            for name, path in self._others():
                self._add_file(archive, name, path)
            told = orjson.dumps(layout.manifest(self._members, now.isoformat()))
            _add(archive, layout.MANIFEST, io.BytesIO(told), len(told))
        self.done.left_out = {
            path.name: layout.NOT_WORTH_IT[path.name]
            for path in sorted(self._data_dir.iterdir())
            if path.name in layout.NOT_WORTH_IT
        }

    def _snapshot(self) -> tuple[str, ...]:
        """Write what the database holds now, note the photos, and return the files' names."""
        if self._history.path is None:
            with (self._scratch / layout.ROWS).open("wb") as file:
                for record in self._history.dump():
                    file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
                    self._note(record)
            with (self._scratch / layout.PEOPLE).open("wb") as file:
                for one in people.people_of(self._history.database):
                    file.write(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE))
                    self.done.people += 1
            return layout.ROWS, layout.PEOPLE
        copy = self._scratch / layout.SNAPSHOT
        self._history.snapshot(copy)
        with History(copy) as taken:
            for record in taken.dump():
                self._note(record)
            self.done.people = len(people.people_of(taken.database))
            people.forget_secrets(taken.database)
        people.compact(copy)
        return (layout.SNAPSHOT,)

    def _note(self, record: dict[str, object]) -> None:
        observation, photos = record["observation"], record["photos"]
        if not isinstance(observation, dict) or not isinstance(photos, list):
            raise HistoryUnavailable("damaged", "The observations cannot be read.")
        self.done.observations += 1
        owner = str(observation["owner"])
        folder = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()
        for photo in photos:
            name = f"photos/{folder}/{photo['photo_id']}.jpg"
            if layout.is_member(name):
                self._wanted[name] = (owner, str(photo["photo_id"]), str(observation["id"]))

    def _add_photo(self, archive: tarfile.TarFile, name: str) -> None:
        owner, photo_id, observation_id = self._wanted[name]
        try:
            jpeg = self._photos.get(owner, photo_id)
        except PhotoDamaged:
            self.done.damaged.append(photo_id)
        except PhotoNotFound:
            try:
                self._history.get(owner, observation_id)
            except ObservationNotFound:
                raise _Vanished from None
            # It is lost for good, however often we begin anew.
            self.done.damaged.append(photo_id)
        else:
            self._members[name] = layout.Member(len(jpeg), photo_id)
            _add(archive, name, io.BytesIO(jpeg), len(jpeg))
            self.done.photos += 1

    def _others(self) -> Iterator[tuple[str, Path]]:
        for name in layout.FILES:
            if _is_plain(path := self._data_dir / name):
                yield name, path
        for folder in layout.FOLDERS:
            for path in sorted((self._data_dir / folder).rglob("*")):
                name = path.relative_to(self._data_dir).as_posix()
                if _is_plain(path) and layout.is_member(name):
                    yield name, path

    def _add_file(self, archive: tarfile.TarFile, name: str, path: Path) -> None:
        """Add a file as it was when it was opened: it may be replaced, or grow, meanwhile."""
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as source, tempfile.TemporaryFile(dir=self._scratch) as copy:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
                copy.write(chunk)
            copy.seek(0)
            _add(archive, name, copy, size)
        self._members[name] = layout.Member(size, digest.hexdigest())


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, content)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
