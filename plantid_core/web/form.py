"""The left third of *Identify*: photos, organs, place, date, language, providers."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.errors import UploadRejected
from plantid_core.plants import ORGANS, Organ, Place
from plantid_core.upload import Upload
from plantid_core.workbench import MOST_PHOTOS, sample_photo

if TYPE_CHECKING:
    from plantid_core.upload import Photo
    from plantid_core.workbench import Workbench

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "français", "cs": "čeština"}

_THUMBNAIL_PX = 220


@dataclass(frozen=True, slots=True)
class Question:
    """What the form is set to. ``photos`` holds admitted files only."""

    photos: tuple[Upload, ...]
    organs: tuple[Organ, ...]
    place: Place | None
    date: dt.date | None
    language: str
    providers: tuple[str, ...]

    def fingerprint(self) -> str:
        """Return what tells two questions apart, without their bytes."""
        digests = [hashlib.sha256(photo.data).hexdigest() for photo in self.photos]
        return repr((digests, replace(self, photos=())))


def ask(workbench: Workbench) -> Question:
    """Draw the form and return what it is set to."""
    uploads = _photos()
    admitted = [(upload, photo) for upload in uploads if (photo := _admitted(workbench, upload))]
    organs = _thumbnails([photo for _, photo in admitted])
    place, date = _where(workbench, [upload for upload, _ in admitted])
    language = st.selectbox(
        "Common names in",
        list(LANGUAGES),
        format_func=lambda code: LANGUAGES[code],
        key="language",
        bind="query-params",
    )
    providers = _providers(workbench)
    return Question(
        tuple(upload for upload, _ in admitted),
        tuple(organs),
        place,
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


def _admitted(workbench: Workbench, upload: Upload) -> Photo | None:
    try:
        return workbench.admit(upload)
    except UploadRejected as rejected:
        st.error(f"**{_plain(upload.filename)}** — {rejected}", icon=":material/block:")
        return None


def _plain(filename: str) -> str:
    return "".join(char for char in filename if char.isalnum() or char in " .-_")[:60]


def _thumbnails(photos: list[Photo]) -> list[Organ]:
    organs: list[Organ] = []
    for index, photo in enumerate(photos):
        st.image(photo.jpeg, alt=f"Photo {index + 1} of your plant", width=_THUMBNAIL_PX)
        chosen = st.pills(
            f"Photo {index + 1} shows",
            ORGANS,
            default="auto",
            key=f"organ-{photo.sha256[:12]}-{index}",
        )
        organs.append(chosen or "auto")
    return organs


def _where(workbench: Workbench, uploads: list[Upload]) -> tuple[Place | None, dt.date | None]:
    with st.expander("Place and date", icon=":material/place:"):
        if st.checkbox("Use the photo's own place and date", key="own_place", disabled=not uploads):
            _prefill(workbench, uploads)
        st.caption("They are read on this machine, and removed from what we store and send.")
        left, right = st.columns(2)
        latitude = left.number_input("Latitude", -90.0, 90.0, None, format="%.5f", key="latitude")
        longitude = right.number_input(
            "Longitude", -180.0, 180.0, None, format="%.5f", key="longitude"
        )
        date = st.date_input("Date", None, key="date", max_value="today")
        place = None if latitude is None or longitude is None else Place(latitude, longitude)
        if place is not None:
            project = workbench.project_for(place)
            st.caption(
                f"Pl@ntNet is asked for its flora *{project.title}*."
                if project
                else "Pl@ntNet could not say which flora covers this place; it will be asked again."
            )
    return place, date if isinstance(date, dt.date) else None


def _prefill(workbench: Workbench, uploads: list[Upload]) -> None:
    fingerprint = hashlib.sha256(b"".join(upload.data for upload in uploads)).hexdigest()
    if st.session_state.get("prefilled") == fingerprint:
        return
    st.session_state["prefilled"] = fingerprint
    told = [workbench.read_prefill(upload) for upload in uploads]
    place = next((prefill.place for prefill in told if prefill.place), None)
    date = next((prefill.date for prefill in told if prefill.date), None)
    if place is not None:
        st.session_state["latitude"], st.session_state["longitude"] = (
            place.latitude,
            place.longitude,
        )
    if date is not None:
        st.session_state["date"] = date
    if place is None and date is None:
        st.caption("This photo tells neither place nor date.")


def _providers(workbench: Workbench) -> list[str]:
    known = {info.name: info for info in workbench.providers()}
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
