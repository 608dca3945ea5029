"""Where, when and by whom a plant was seen: to be read, and put right."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.plants import Place
from plantid_core.store.history.values import Circumstances
from plantid_core.web import history_filters, history_said, licences
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.store.history.values import Observed

_EARLIEST: Final = dt.date(1900, 1, 1)
_FARTHEST_M: Final = 1_000_000.0


def show(desk: Desk, observed: Observed) -> None:
    """Draw the record as fields, and keep what is saved."""
    with st.form(f"record-{observed.id}", enter_to_submit=False):
        st.markdown("**Record**")
        changed = _fields(observed)
        saved = st.form_submit_button("Save the record", icon=":material/save:")
    if not saved:
        return
    if changed is None:
        st.error("A place needs both a latitude and a longitude.", icon=":material/error:")
        return
    try:
        desk.collection.describe(observed.id, changed)
    except PlantIDError as error:
        st.error(plain(str(error)), icon=":material/error:")
    else:
        history_said.say("The record is saved.")


def _fields(observed: Observed) -> Circumstances | None:
    """Draw the fields and return what they hold, None where half of a place is missing."""
    known = observed.circumstances
    place, on = known.place, known.observed_on
    # Other fields for another record: what was typed into the former ones is not to come back.
    version = hashlib.sha256(repr(known).encode()).hexdigest()[:8]
    end = f"{observed.id}-{version}"
    today = dt.datetime.now(history_filters.zone()).date()
    first, second, third, fourth = st.columns(4)
    day = first.date_input(
        "Seen on",
        on,
        min_value=min(_EARLIEST, on or _EARLIEST),
        max_value=max(today, on or today),
        key=f"on-{end}",
    )
    latitude = second.number_input(
        "Latitude",
        -90.0,
        90.0,
        place.latitude if place else None,
        format="%.5f",
        key=f"lat-{end}",
    )
    longitude = third.number_input(
        "Longitude",
        -180.0,
        180.0,
        place.longitude if place else None,
        format="%.5f",
        key=f"lon-{end}",
    )
    within = fourth.number_input(
        "Right to within, m",
        0.0,
        max(_FARTHEST_M, known.uncertainty_m or 0.0),
        known.uncertainty_m,
        format="%.0f",
        key=f"within-{end}",
    )
    left, right = st.columns(2)
    by = left.text_input("Seen by", known.recorded_by, max_chars=200, key=f"by-{end}")
    licence = licences.choose(right, known.licence, key=f"licence-{end}")
    # A field that was full at first cannot be emptied: it goes back to what it held.
    with st.container(horizontal=True):
        undated = on is not None and st.checkbox("Remove the date", key=f"undated-{end}")
        nowhere = place is not None and st.checkbox("Remove the place", key=f"nowhere-{end}")
    if nowhere:
        latitude = longitude = None
    if (latitude is None) != (longitude is None):
        return None
    seen = None if latitude is None or longitude is None else Place(latitude, longitude)
    return Circumstances(
        day if isinstance(day, dt.date) and not undated else None,
        seen,
        None if seen is None else within,
        by.strip(),
        licence,
    )
