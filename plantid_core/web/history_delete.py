"""Deleting from *History*: what goes is said first, and nothing goes unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.web import batch_job, history_photos, history_said
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.collection import Deleted
    from plantid_core.desk import Desk
    from plantid_core.store.history.values import Observed

TYPED: Final = "delete all"


@st.dialog("Delete for good?", icon=":material/delete:")
def some(desk: Desk, observations: Sequence[Observed]) -> None:
    """Ask whether these observations are to go, and let them go."""
    count = len(observations)
    photos = len({photo.photo_id for one in observations for photo in one.photos})
    st.markdown(
        f"**{so_many(count, 'observation')}** will be deleted, with all determinations, up to"
        f" {so_many(photos, 'photo')} (those that no other observation of yours needs) and the answers"
        " that are cached. Nothing brings them back. What you exported stays with you."
    )
    if st.button(f"Delete {so_many(count, 'observation')}", type="primary", key="delete_now"):
        try:
            gone = desk.collection.forget([one.id for one in observations])
        except PlantIDError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        history_photos.forget(observations)
        _told(gone)


@st.dialog("Delete all that is yours?", icon=":material/delete_forever:")
def everything(desk: Desk, total: int) -> None:
    """Ask for a typed confirmation, and delete all that is the owner's."""
    st.markdown(
        f"**All {so_many(total, 'observation')}** that you keep, whatever the filters show, every photo,"
        " every determination, every batch and the cached answers will be deleted. Nothing brings them"
        " back: take *Export all that is mine* first, if in doubt."
    )
    with st.form("delete_all", border=False):
        typed = st.text_input(f"Type “{TYPED}” to confirm", key="delete_all_typed")
        pressed = st.form_submit_button("Delete everything", type="primary")
    if not pressed:
        return
    if typed.strip().casefold() != TYPED:
        st.error(f"Nothing was deleted. Type “{TYPED}” to confirm.", icon=":material/error:")
        return
    try:
        gone = desk.collection.forget_all()
    except PlantIDError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    batch_job.forget_all(desk)
    history_photos.forget_all()
    _told(gone)


def so_many(count: int, what: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _told(gone: Deleted) -> None:
    still = ""
    if gone.still_cached:
        still = (
            f" {so_many(gone.still_cached, 'answer')} may be cached still, for the cache could not be"
            " reached; they expire by themselves."
        )
    history_said.say(
        f"Deleted: {so_many(gone.observations, 'observation')}, {so_many(gone.photos, 'photo')}.{still}",
        ":material/delete:",
    )
