"""The fold of an observation: its photos, all that was said of it, and who determined it when."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.compare.align import align
from plantid_core.palette import TITLES, percent
from plantid_core.web import (
    compare_table,
    history_delete,
    history_filters,
    history_photos,
    history_record,
)

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.store.history.values import Determination, Observed

_PREVIEW_PX: Final = 260
_NAMES: Final = 5
_DID: Final = {
    "confirmed": "confirmed",
    "changed": "named it",
    "rejected": "rejected every name",
}


def show(desk: Desk, observed: Observed) -> None:
    """Draw what is in the fold."""
    with st.container(horizontal=True):
        for number, photo in enumerate(observed.photos, start=1):
            jpeg = history_photos.small(desk, photo.photo_id, history_photos.PREVIEW_PX)
            if jpeg is None:
                st.caption(f"Photo {number} cannot be read: its file is missing or damaged.")
            else:
                st.image(jpeg, width=_PREVIEW_PX, alt=f"Photo {number}: {photo.organ}")
    found = align(observed.answers, desk.names, desk.calibration)
    if found.rows:
        st.html(compare_table.side_by_side(found, observed.answers, _NAMES))
    st.html(_determinations(desk, observed))
    history_record.show(desk, observed)
    if st.button(
        "Delete this observation…",
        key=f"delete-{observed.id}",
        icon=":material/delete:",
        help="With its photos and cached answers. You are asked first.",
    ):
        history_delete.some(desk, [observed])


def _determinations(desk: Desk, observed: Observed) -> str:
    if not observed.determinations:
        return '<div class="pid-small">Nobody has determined it yet.</div>'
    told = "".join(
        f"<li>{_determination(desk, one)}</li>" for one in reversed(observed.determinations)
    )
    return f"<div><b>Determinations</b>, the one that stands first</div><ol>{told}</ol>"


def _determination(desk: Desk, made: Determination) -> str:
    when = made.made_at.astimezone(history_filters.zone())
    who = "you" if made.made_by == desk.owner else escape(made.made_by)
    name = ""
    if made.taxon is not None:
        name = f": <i>{escape(made.taxon.scientific_name)}</i>"
    source = ""
    if made.provider is not None:
        score = "" if made.score is None else f", {percent(made.score)}"
        source = f" ({escape(TITLES.get(made.provider, made.provider))}{score})"
    mark = '<span class="pid-mark">SANDBOX</span>' if made.sandbox else ""
    note = f'<div class="pid-note">{escape(made.note)}</div>' if made.note else ""
    return (
        f'<span class="pid-small">{when.day} {when:%b %Y, %H:%M}</span> {who}'
        f" {_DID[made.action]}{name}{source}{mark}{note}"
    )
