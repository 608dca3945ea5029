"""*Keep in my history*: what is kept of an answer beside it, and whether anything is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.store.history.values import Circumstances
from plantid_core.web import door, licences
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.plants import Outcome
    from plantid_core.web.asked import Asked

_KEPT = "kept"
_FARTHEST_M = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants kept; ``keep`` tells whether it is before anything is confirmed."""

    keep: bool
    uncertainty_m: float | None
    recorded_by: str
    licence: str

    def circumstances(self, asked: Asked) -> Circumstances:
        """Return where, when and by whom the plant was seen."""
        return Circumstances(
            asked.date,
            asked.place,
            None if asked.place is None else self.uncertainty_m,
            self.recorded_by,
            self.licence,
        )


def ask(desk: Desk) -> Wish | None:
    """Draw the tick and what belongs to it; None, with a sentence, where nobody owns a history."""
    if not desk.may("identify.keep"):
        told = "Sign in to keep a history. Until then nothing is kept of what you identify here."
        door.invite(desk, told, key="sign_in_to_keep")
        return None
    keep = st.checkbox(
        "Keep in my history",
        value=True,
        key="keep",
        bind="query-params",
        help="The cleaned photos and the answers, on this machine, until you delete them.",
    )
    with st.expander("For your records", icon=":material/edit_note:") as records:
        uncertainty = st.number_input(
            "The place is right to within, m",
            min_value=1.0,
            max_value=_FARTHEST_M,
            value=None,
            format="%.0f",
            key="uncertainty",
        )
        settings = desk.settings
        by = st.text_input("Seen by", settings.recorded_by, max_chars=200, key="recorded_by")
        licence = licences.choose(records, settings.licence, "licence")
        st.caption("Kept beside the answer and exported with it; none of it is sent to a service.")
    return Wish(keep, uncertainty, by.strip(), licence)


def keep_once(desk: Desk, wish: Wish, asked: Asked, outcome: Outcome) -> None:
    """Keep an outcome, once, and say so; what goes wrong is said, and tried again when asked to."""
    if outcome.rung == "none":
        return
    told: dict[str, str] = st.session_state.setdefault(_KEPT, {})
    if outcome.id not in told:
        try:
            keep(desk, wish, asked, outcome)
        except PlantIDError as error:
            told[outcome.id] = str(error)
    if problem := told.get(outcome.id):
        st.warning(f"This could not be kept. {plain(problem)}", icon=":material/warning:")
        if st.button("Try to keep it again", key="keep_again"):
            del told[outcome.id]
            st.rerun()
    else:
        st.caption(":material/bookmark_added: Kept in your history.")


def keep(desk: Desk, wish: Wish, asked: Asked, outcome: Outcome) -> None:
    """Keep an outcome; raises `PlantIDError`, and then nothing of it is kept."""
    desk.keep(
        outcome,
        asked.photos,
        organs=asked.organs,
        place=asked.place,
        date=asked.date,
        language=asked.language,
        circumstances=wish.circumstances(asked),
    )
    st.session_state.setdefault(_KEPT, {})[outcome.id] = ""
