"""Kept observations as one Darwin Core Archive."""

from __future__ import annotations

import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from plantid_core.errors import PhotoDamaged, PhotoNotFound
from plantid_core.export.darwin_core import records
from plantid_core.export.darwin_core.eml import eml_xml
from plantid_core.export.darwin_core.tables import (
    IDENTIFICATION,
    MULTIMEDIA,
    OCCURRENCE,
    TABLES,
    Table,
    header_line,
    line,
    meta_xml,
)
from plantid_core.export.release import ONLY_SANDBOX, Exported, release, standing

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping
    from typing import IO, TextIO

    from plantid_core.export.release import Released, Terms
    from plantid_core.store.history.values import Observed

    LoadPhoto = Callable[[str], bytes]

REJECTED, NAMELESS = "every suggestion was rejected", "no name stands"


class _Archive:
    """The text files while they grow, and the photos as they go into the archive."""

    def __init__(self, target: zipfile.ZipFile, files: Mapping[str, TextIO], terms: Terms) -> None:
        self.done = Exported()
        self.recorders: set[str] = set()
        self.licences: set[str] = set()
        self.sandbox = False
        self._target, self._files, self._terms = target, files, terms
        self._photos: set[str] = set()

    def add(self, observed: Observed, load: LoadPhoto | None) -> None:
        told = release(observed, self._terms)
        if told is None:
            self.done.left_out[ONLY_SANDBOX] += 1
            return
        named = standing(told, self._terms.names)
        if named is None:
            self.done.left_out[NAMELESS if told.determination is None else REJECTED] += 1
            return
        media = self._media(told, load)
        core_id = records.occurrence_id(observed.id)
        self._write(OCCURRENCE, core_id, records.occurrence(told, named, media))
        for photo in observed.photos:
            if photo.photo_id in media:
                cells = records.multimedia(told, photo, media[photo.photo_id])
                self._write(MULTIMEDIA, core_id, cells)
        for cells in records.identifications(told):
            self._write(IDENTIFICATION, core_id, cells)
        self.done.observations += 1
        self.done.generalised += told.place_is_generalised()
        self.recorders.add(told.circumstances.recorded_by)
        self.licences.add(records.licence_address(told.circumstances.licence))
        self.sandbox |= told.sandbox

    def _media(self, told: Released, load: LoadPhoto | None) -> dict[str, str]:
        """Return every photo's identifier, and put it into the archive where photos are wanted."""
        ids = dict.fromkeys(photo.photo_id for photo in told.observed.photos)
        if load is None:
            return {photo_id: records.media_identifier(photo_id) for photo_id in ids}
        media = {}
        for photo_id in ids:
            name = f"media/{photo_id}.jpg"
            if photo_id not in self._photos:
                try:
                    jpeg = load(photo_id)
                except (PhotoNotFound, PhotoDamaged):
                    self.done.photos_missing += 1
                    continue
                self._target.writestr(name, jpeg, zipfile.ZIP_STORED)
                self._photos.add(photo_id)
            media[photo_id] = name
        return media

    def _write(self, table: Table, core_id: str, cells: dict[str, str | float | None]) -> None:
        self._files[table.file].write(line(table, core_id, cells))
        self.done.rows += 1


def write_archive(
    file: IO[bytes],
    observations: Iterable[Observed],
    terms: Terms,
    *,
    now: dt.datetime,
    load_photo: LoadPhoto | None = None,
) -> Exported:
    """Write the archive into ``file`` (open for writing, binary) and return what was written.

    An observation under which no name stands is left out, and counted by the reason. Photos go into
    ``media/`` where ``load_photo`` returns their bytes; without it they are named by their content.
    """
    with tempfile.TemporaryDirectory(prefix="plantid-") as folder:
        paths = {table.file: Path(folder) / table.file for table in TABLES}
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
            with ExitStack() as stack:
                files = {
                    name: stack.enter_context(path.open("w", encoding="utf-8", newline=""))
                    for name, path in paths.items()
                }
                archive = _Archive(target, files, terms)
                for table in TABLES:
                    files[table.file].write(header_line(table))
                for observed in observations:
                    archive.add(observed, load_photo)
            for name, path in paths.items():
                target.write(path, name)
            target.writestr("meta.xml", meta_xml())
            eml = eml_xml(archive.recorders, archive.licences, now, sandbox=archive.sandbox)
            target.writestr("eml.xml", eml)
    return archive.done
