"""What was asked last: kept in the session while it is under way, and once it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    import datetime as dt

    from plantid_core.desk import Desk
    from plantid_core.pipeline import Asking
    from plantid_core.plants import Organ, Outcome, Place
    from plantid_core.upload import Photo
    from plantid_core.web.form import Question

_UNDER_WAY, _ANSWERED = "asking", "answered"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as far as it is needed once it is answered: of the photos only the clean ones."""

    fingerprint: str
    photos: tuple[Photo, ...]
    organs: tuple[Organ, ...]
    place: Place | None
    date: dt.date | None
    language: str


def begin(desk: Desk, question: Question) -> None:
    """Ask the question of everybody chosen, and return at once; raises `PlantIDError`."""
    asking = desk.begin(
        question.photos,
        organs=question.organs,
        place=question.place,
        date=question.date,
        providers=question.providers,
        language=question.language,
    )
    asked = Asked(
        question.fingerprint(),
        question.clean,
        question.organs,
        question.place,
        question.date,
        question.language,
    )
    st.session_state[_UNDER_WAY] = (asked, asking)


def under_way() -> Asking | None:
    """Return what is being asked, whose outcome has not been taken yet."""
    pair: tuple[Asked, Asking] | None = st.session_state.get(_UNDER_WAY)
    return None if pair is None else pair[1]


def answered(outcome: Outcome) -> None:
    """Take the outcome of what is under way."""
    asked, _ = st.session_state.pop(_UNDER_WAY)
    st.session_state[_ANSWERED] = (asked, outcome)


def latest() -> tuple[Asked, Outcome] | None:
    """Return what was answered last, on whichever page, with its outcome."""
    pair: tuple[Asked, Outcome] | None = st.session_state.get(_ANSWERED)
    return pair


def forget() -> None:
    """Take neither what is under way nor what was answered any further."""
    for key in (_UNDER_WAY, _ANSWERED):
        st.session_state.pop(key, None)
