"""Labelled photos for *Compare*: an archive, files, a folder of this machine, or the sample."""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.compare.evaluate.labels import read
from plantid_core.errors import InputUnreadable, PlantIDError
from plantid_core.upload.archive import Limits, unpack
from plantid_core.upload.policy import MIB
from plantid_core.web.naming import plain
from plantid_core.workbench import sample_photo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from plantid_core.compare.evaluate.label import Labelled
    from plantid_core.desk import Desk

_KEPT: Final = "labelled"
_FILES, _FOLDER, _SAMPLE = "My photos", "A folder of this machine", "The sample"
_TYPES: Final = ["zip", "csv", "jpg", "jpeg", "png", "webp", "gif"]
_LIMITS: Final = Limits(archive_bytes=100 * MIB, files=2_000)
_HOW: Final = (
    "A ZIP of folders named for their species (*Quercus robur/1.jpg*), or photos with a CSV that has"
    " the columns *file* and *scientific_name*. A folder called *not a plant* tests whether that is"
    " seen, too. A ZIP may have {most} MB; for more, bring the photos themselves with a CSV."
)
_SAMPLE_SAYS: Final = (
    "Cuts of one photo of a garden dahlia, and of one without any plant. They show how it works, and"
    " prove nothing."
)
# Left, top, right and bottom of each cut, in shares of the whole.
_CUTS: Final = {
    "flower.jpg": (
        "Dahlia pinnata",
        (
            (0, 0, 1, 1),
            (0.1, 0.05, 0.8, 0.95),
            (0.2, 0.2, 0.9, 0.95),
            (0, 0.1, 0.7, 0.9),
            (0.25, 0.1, 0.75, 0.8),
            (0.3, 0, 1, 0.8),
        ),
    ),
    "china.jpg": ("not a plant", ((0, 0, 0.5, 0.6), (0.4, 0.2, 1, 0.8), (0.1, 0.3, 0.6, 0.9))),
}


class Folder:
    """A temporary folder that is gone once nobody holds this any more."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="plantid-labelled-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Labels:
    """Photos with their names; ``folder`` is where those lie that were brought."""

    title: str
    photos: tuple[Labelled, ...]
    folder: Folder | None = None
    passed_over: int = 0

    @property
    def species(self) -> int:
        """Return how many species the labels name."""
        return len({photo.species for photo in self.photos if photo.species})


def choose(desk: Desk) -> Labels | None:
    """Ask where the photos are; None, and a sentence where something is wrong, while there are none."""
    local = desk.may("evaluate.folder")
    source = st.selectbox(
        "Photos whose names you know",
        [_FILES, *([_FOLDER] if local else []), _SAMPLE],
        key="photos_from",
        bind="query-params",
    )
    if source == _SAMPLE:
        st.caption(_SAMPLE_SAYS)
        return _once("sample", lambda: _sample(desk))
    most = most_mb(_LIMITS)
    st.caption(_HOW.format(most=most))
    if source == _FOLDER:
        path = st.text_input(
            "Folder or CSV file on this machine", key="labelled_path", bind="query-params"
        ).strip()
        return _once(f"path {path}", lambda: _of_path(desk, path)) if path else None
    files = st.file_uploader(
        "Labelled photos",
        type=_TYPES,
        accept_multiple_files=True,
        key="labelled_files",
        max_upload_size=most,
        label_visibility="collapsed",
    )
    if not files:
        return _brought_before()
    digests = [hashlib.sha256(file.getvalue()).hexdigest() for file in files]
    return _once(f"files {digests}", lambda: _of_files(desk, files))


def most_mb(limits: Limits) -> int:
    """Return how many MB an archive may have: a field may allow more, but the server takes no more."""
    return min(limits.archive_bytes // MIB, int(st.get_option("server.maxUploadSize")))


def _once(source: str, make: Callable[[], Labels]) -> Labels | None:
    """Return what was read of a source, reading it when it is first asked for."""
    kept: tuple[str, Labels | str] | None = st.session_state.get(_KEPT)
    if kept is None or kept[0] != source:
        found: Labels | str
        try:
            with st.spinner("Reading the labels …"):
                found = make()
        except PlantIDError as error:
            found = str(error)
        except OSError as error:
            found = f"The disk refused it: {error.strerror}. Try again."
        kept = (source, found)
        st.session_state[_KEPT] = kept
    if isinstance(kept[1], str):
        st.error(plain(kept[1]), icon=":material/error:")
        return None
    return kept[1]


def _brought_before() -> Labels | None:
    """Return the photos that were brought before another tab or page emptied the field of files."""
    kept: tuple[str, Labels | str] | None = st.session_state.get(_KEPT)
    if kept is None or isinstance(kept[1], str) or not kept[0].startswith("files "):
        return None
    if st.button("Forget these photos", key="labelled_forget", icon=":material/delete:"):
        del st.session_state[_KEPT]
        return None
    return kept[1]


def _of_path(desk: Desk, path: str) -> Labels:
    desk.require("evaluate.folder")
    try:
        there = Path(path).expanduser()
    except RuntimeError as error:
        raise InputUnreadable(path, "There is no such home folder.") from error
    return Labels(there.name, read(there, desk.names))


def _of_files(desk: Desk, files: Sequence[UploadedFile]) -> Labels:
    desk.require("evaluate.run")
    archives = [file for file in files if file.name.lower().endswith(".zip")]
    folder = Folder()
    root, passed_over, title = folder.path, 0, "your photos"
    if archives:
        if len(files) > 1:
            raise InputUnreadable(archives[0].name, "Give one ZIP alone, or photos and one CSV.")
        title = archives[0].name
        found = unpack(io.BytesIO(archives[0].getvalue()), title, root, _LIMITS)
        root, passed_over = found.root, len(found.passed_over)
    else:
        for number, file in enumerate(files):
            target = root / (Path(file.name).name or f"{number}")
            if target.exists():
                raise InputUnreadable(target.name, "Two of the files have this name.")
            target.write_bytes(file.getvalue())
    tables = [entry for entry in root.iterdir() if entry.suffix.lower() == ".csv"]
    if len(tables) > 1:
        raise InputUnreadable(title, "There are several CSV files. Which has the labels? Keep one.")
    if not tables and not archives:
        raise InputUnreadable(title, "Single photos need a CSV file that tells their names.")
    try:
        photos = read(tables[0] if tables else root, desk.names)
    except InputUnreadable as error:
        # Where it was unpacked to is nobody's business.
        raise InputUnreadable(title, error.reason) from None
    return Labels(title, photos, folder, passed_over)


def _sample(desk: Desk) -> Labels:
    from PIL import Image

    folder = Folder()
    for source, (label, cuts) in _CUTS.items():
        below = folder.path / label
        below.mkdir()
        with Image.open(io.BytesIO(sample_photo(source).data)) as whole:
            for number, (left, top, right, bottom) in enumerate(cuts, start=1):
                width, height = whole.size
                box = (left * width, top * height, right * width, bottom * height)
                cut = whole.crop(box)
                cut.save(below / f"{number}.jpg", quality=90)
    return Labels("the sample", read(folder.path, desk.names), folder)
