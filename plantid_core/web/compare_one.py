"""*Compare*, one plant: every provider's names as one table, and who ranks what where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

from plantid_core.compare.agreement import agreement, in_words
from plantid_core.compare.align import align
from plantid_core.compare.names.values import LEVELS
from plantid_core.errors import PlantIDError
from plantid_core.web import asked, cards, compare_bump, compare_table, door, download, form

if TYPE_CHECKING:
    from plantid_core.compare.agreement import Agreement
    from plantid_core.desk import Desk
    from plantid_core.plants import Outcome
    from plantid_core.web.asked import Asked

_ROWS = {"5": 5, "10": 10, "all": 1_000}
_THUMBNAIL_PX = 110
_ANOTHER = "compare_another"


def show(desk: Desk) -> None:
    """Draw the tab: a question until there is an answer, which may be *Identify*'s."""
    if door.shut(desk, "identify.ask", "Sign in to compare what the services say of a plant."):
        return
    latest = asked.latest()
    if latest is None or asked.under_way() is not None:
        _question(desk)
    else:
        _compared(desk, *latest)


def _question(desk: Desk) -> None:
    left, right = st.columns([1, 2], gap="large")
    with left:
        question = form.ask(desk)
        ready = bool(question.photos and question.providers)
        pressed = st.button("Ask and compare", type="primary", disabled=not ready, width="stretch")
    with right:
        if pressed:
            try:
                asked.begin(desk, question)
            except PlantIDError as error:
                st.error(str(error), icon=":material/error:")
        if (asking := asked.under_way()) is not None:
            asked.answered(cards.arriving(asking))
            st.rerun()
        st.info(
            "Here you will see every plant that a service names, with the rank and score that each"
            " gives it, and how far they agree. Add a photo on the left, or try the sample.",
            icon=":material/table_chart:",
        )


def _compared(desk: Desk, about: Asked, outcome: Outcome) -> None:
    found = align(outcome.answers, desk.names, desk.calibration)
    agreed = agreement(outcome.answers, desk.names)
    sandbox = [answer.provider for answer in outcome.answers if answer.sandbox]
    top, again = st.columns([4, 1], vertical_alignment="top")
    with top:
        cards.verdict(outcome)
    if again.button("Another plant", icon=":material/add_a_photo:", key=_ANOTHER, width="stretch"):
        asked.forget()
        st.rerun()
    with st.container(horizontal=True):
        for number, photo in enumerate(about.photos, start=1):
            st.image(photo.jpeg, width=_THUMBNAIL_PX, alt=f"Photo {number} of the plant")
        with st.container():
            _badge(agreed)
            names = [agreed.at("species").title, agreed.at("genus").title]
            told = compare_table.italics(in_words(agreed), names)
            st.html(f'<div class="pid-agreement" role="status">{told}</div>')
    if not found.rows:
        st.info(
            "There is no name to compare. Try a closer photo of a flower, a fruit or one leaf.",
            icon=":material/search_off:",
        )
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        most = st.segmented_control(
            "Plants shown",
            list(_ROWS),
            default="5",
            required=True,
            key="plants",
            bind="query-params",
        )
        st.html(compare_table.side_by_side(found, outcome.answers, _ROWS[str(most)]))
    with right:
        ink = cards.INK[st.context.theme.type == "dark"]
        figure, sentence = compare_bump.figure(found, sandbox, ink), compare_bump.finding(found)
        st.plotly_chart(
            figure, alt=sentence, key="bump", config={"displayModeBar": False, "scrollZoom": False}
        )
        told = compare_table.italics(sentence, [found.rows[0].title])
        st.html(f'<div class="pid-small">{told}</div>')
    if sandbox and not download.asked_for(sandbox=True):
        st.caption("A table or picture of this would hold the sandbox's answers: tick to have it.")
        return
    mark = "-sandbox" if sandbox else ""
    on_white = compare_bump.figure(found, sandbox, cards.INK[0])
    download.chart(f"compared{mark}", compare_table.rows(found, sandbox), on_white)


def _badge(agreed: Agreement) -> None:
    """Draw how far up the tree one has to go until all agree."""
    n = len(agreed.providers)
    if n < 2:  # noqa: PLR2004 - nobody to agree with
        st.badge("one voice", icon=":material/person:", color="gray")
        return
    for level in LEVELS:
        if len(agreed.at(level).providers) == n:
            colour: Literal["green", "orange"] = "green" if level == "species" else "orange"
            st.badge(f"all agree on the {level}", icon=":material/handshake:", color=colour)
            return
    st.badge("they disagree", icon=":material/call_split:", color="red")
