"""The left third of *Identify*: photos, organs, place, date, language, providers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.errors import UploadRejected
from plantid_core.plants import ORGANS, Organ
from plantid_core.upload import Upload
from plantid_core.web import place
from plantid_core.workbench import MOST_PHOTOS, sample_photo

if TYPE_CHECKING:
    import datetime as dt

    from plantid_core.desk import Desk
    from plantid_core.plants import Place
    from plantid_core.upload import Photo

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "français", "cs": "čeština"}

_THUMBNAIL_PX, _SMALL_PX = 220, 110


@dataclass(frozen=True, slots=True)
class Question:
    """What the form is set to. ``photos`` holds admitted files only, ``clean`` what became of them."""

    photos: tuple[Upload, ...]
    clean: tuple[Photo, ...]
    organs: tuple[Organ, ...]
    place: Place | None
    date: dt.date | None
    language: str
    providers: tuple[str, ...]

    def fingerprint(self) -> str:
        """Return what tells two questions apart, without their bytes."""
        digests = [hashlib.sha256(photo.data).hexdigest() for photo in self.photos]
        return repr((digests, replace(self, photos=(), clean=())))


def ask(desk: Desk) -> Question:
    """Draw the form and return what it is set to."""
    uploads = _photos()
    admitted = [(upload, photo) for upload in uploads if (photo := _admitted(desk, upload))]
    with st.container(key="thumbnails"):
        organs = _thumbnails([photo for _, photo in admitted])
    where, date = place.ask(desk, [upload for upload, _ in admitted])
    language = st.selectbox(
        "Common names in",
        list(LANGUAGES),
        format_func=lambda code: LANGUAGES[code],
        key="language",
        bind="query-params",
    )
    providers = _providers(desk)
    place.show_flora(desk, where, providers)
    return Question(
        tuple(upload for upload, _ in admitted),
        tuple(photo for _, photo in admitted),
        tuple(organs),
        where,
        date,
        language or "en",
        tuple(providers),
    )


def _photos() -> list[Upload]:
    files = st.file_uploader(
        "Photos of one plant",
        type=["jpg", "jpeg", "png", "webp", "gif"],
        accept_multiple_files=True,
        key="photos",
        help=f"One to {MOST_PHOTOS} photos: JPEG, PNG, WebP or GIF up to 10 MB.",
    )
    uploads = [Upload(file.getvalue(), file.name, file.type) for file in files]
    with st.expander("Take a photo", icon=":material/photo_camera:"):
        if st.toggle("Camera on", key="camera_on"):
            shot = st.camera_input("Camera", label_visibility="collapsed")
            if shot is not None:
                uploads.append(Upload(shot.getvalue(), "camera.jpg", shot.type))
    if st.button("Try the sample photo", icon=":material/local_florist:", width="stretch"):
        st.session_state["sample"] = True
    if uploads:
        st.session_state.pop("sample", None)
    elif st.session_state.get("sample"):
        uploads = [sample_photo()]
    if len(uploads) > MOST_PHOTOS:
        st.warning(f"{len(uploads)} photos were given; the first {MOST_PHOTOS} are used.")
    return uploads[:MOST_PHOTOS]


def _admitted(desk: Desk, upload: Upload) -> Photo | None:
    try:
        return desk.admit(upload)
    except UploadRejected as rejected:
        st.error(f"**{_plain(upload.filename)}** — {rejected}", icon=":material/block:")
        return None


def _plain(filename: str) -> str:
    return "".join(char for char in filename if char.isalnum() or char in " .-_")[:60]


def _thumbnails(photos: list[Photo]) -> list[Organ]:
    organs: list[Organ] = []
    for index, photo in enumerate(photos):
        width = _SMALL_PX if len(photos) > 1 else _THUMBNAIL_PX
        st.image(photo.jpeg, alt=f"Photo {index + 1} of your plant", width=width)
        chosen = st.pills(
            f"Photo {index + 1} shows",
            ORGANS,
            default="auto",
            key=f"organ-{photo.sha256[:12]}-{index}",
        )
        organs.append(chosen or "auto")
    return organs


def _providers(desk: Desk) -> list[str]:
    known = {info.name: info for info in desk.providers()}
    chosen = st.pills(
        "Ask",
        list(known),
        selection_mode="multi",
        default=list(known),
        format_func=lambda name: known[name].title,
        key="providers",
        bind="query-params",
    )
    for name in chosen:
        st.caption(f":material/arrow_outward: {known[name].sends}")
    return list(chosen)
