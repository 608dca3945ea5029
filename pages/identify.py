"""Identify: photos in, ranked species out, every source beside the others."""

from __future__ import annotations

import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.web import asked, cards, decide, door, form, keeping, trace_chart
from plantid_core.web.session import desk

cards.style()
st.title("Identify a plant", anchor=False)
header = st.container()
if door.shut(desk(), "identify.ask", "Sign in to identify a plant."):
    st.stop()
left, right = st.columns([1, 2], gap="large")

with left:
    question = form.ask(desk())
    wish = keeping.ask(desk())
    ready = bool(question.photos and question.providers)
    pressed = st.button("Identify", type="primary", disabled=not ready, width="stretch")

with right:
    if pressed:
        try:
            asked.begin(desk(), question)
        except PlantIDError as error:
            st.error(str(error), icon=":material/error:")
    note = st.empty()
    if (asking := asked.under_way()) is not None:
        asked.answered(cards.arriving(asking))
    elif (last := asked.latest()) is not None:
        cards.show(last[1])
    last = asked.latest()
    if last is not None:
        about, shown = last
        if about.fingerprint != question.fingerprint():
            note.caption(
                "These answers belong to the former settings. Press *Identify* to ask again."
                if ready
                else "These answers belong to the photos you gave before."
            )
        decide.show(desk(), wish, about, shown)
        if wish is not None and wish.keep:
            keeping.keep_once(desk(), wish, about, shown)
        with st.expander("What happened", icon=":material/timeline:"):
            st.caption(trace_chart.finding(shown))
            st.plotly_chart(trace_chart.waterfall(shown), alt=trace_chart.finding(shown))
    else:
        st.info(
            "Here you will see the most likely species, and what each service says, side by side."
            " Add a photo on the left, or try the sample.",
            icon=":material/eco:",
        )

with header:
    cards.badges(desk().readiness(), last[1] if last else None)
