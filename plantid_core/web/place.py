"""Place and date: folded away, and taken from a photo only when its owner says so."""

from __future__ import annotations

import datetime as dt
import hashlib
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.plants import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.desk import Desk
    from plantid_core.upload import Upload

_FIELDS = ("latitude", "longitude", "date")
_FILLED, _FILLED_FROM = "filled_by_photo", "filled_from"
_EARLIEST = dt.date(1900, 1, 1)
_PLANTNET = "plantnet"


def ask(desk: Desk, uploads: Sequence[Upload]) -> tuple[Place | None, dt.date | None]:
    """Draw the fold and return what it is set to."""
    with st.expander("Place and date", icon=":material/place:"):
        st.caption(
            "Every photo's own place and date are removed from what we store and send. Tick this"
            " to read them here and fill them in below; only what stands there is sent."
        )
        ticked = st.checkbox(
            "Use the photo's own place and date", key="own_place", disabled=not uploads
        )
        _follow(desk, uploads if ticked else [])
        latitude = st.number_input("Latitude", -90.0, 90.0, None, format="%.5f", key="latitude")
        longitude = st.number_input(
            "Longitude", -180.0, 180.0, None, format="%.5f", key="longitude"
        )
        date = st.date_input("Date", None, key="date", min_value=_EARLIEST, max_value="today")
        if any(info.name == _PLANTNET and not info.sandbox for info in desk.providers()):
            st.caption(
                "Where Pl@ntNet is asked, it is told the place, to about 1 km, as soon as you set"
                " it: that is how its flora is chosen."
            )
    place = None if latitude is None or longitude is None else Place(latitude, longitude)
    return place, date if isinstance(date, dt.date) else None


def show_flora(desk: Desk, place: Place | None, providers: Sequence[str]) -> None:
    """Say which flora Pl@ntNet would be asked for; asks nobody where Pl@ntNet is not chosen."""
    if place is None or _PLANTNET not in providers:
        return
    project = desk.project_for(place)
    said = (
        f"Pl@ntNet is asked for its flora <i>{escape(project.title)}</i>."
        if project
        else "Pl@ntNet could not say which flora covers this place; it will be asked again."
    )
    st.html(f'<div class="pid-small">{said}</div>')


def _follow(desk: Desk, uploads: Sequence[Upload]) -> None:
    """Keep the fields in step with the photos that may fill them: none, where nothing is ticked."""
    source = hashlib.sha256(b"".join(upload.data for upload in uploads)).hexdigest()
    source = source if uploads else ""
    if st.session_state.get(_FILLED_FROM, "") != source:
        _withdraw()
        st.session_state[_FILLED_FROM] = source
        st.session_state[_FILLED] = _told(desk, uploads)
        for field, value in st.session_state[_FILLED].items():
            st.session_state[field] = value
    if uploads and not st.session_state[_FILLED]:
        st.caption("The photo tells neither place nor date.")


def _withdraw() -> None:
    """Empty the fields that still hold what a photo told; what a person typed stays."""
    filled: dict[str, object] = st.session_state.get(_FILLED, {})
    for field in _FIELDS:
        if field in filled and st.session_state.get(field) == filled[field]:
            st.session_state[field] = None


def _told(desk: Desk, uploads: Sequence[Upload]) -> dict[str, object]:
    told = [desk.read_prefill(upload) for upload in uploads]
    place = next((prefill.place for prefill in told if prefill.place), None)
    # A camera whose clock was never set dates its photos before cameras, or after today.
    latest = dt.datetime.now().astimezone().date()
    date = next(
        (prefill.date for prefill in told if prefill.date and _EARLIEST <= prefill.date <= latest),
        None,
    )
    where: dict[str, object] = (
        {"latitude": place.latitude, "longitude": place.longitude} if place else {}
    )
    return where | ({"date": date} if date else {})
