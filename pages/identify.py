"""Identify: photos in, ranked species out, every source beside the others."""

from __future__ import annotations

import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.plants import Outcome
from plantid_core.web import cards, download, form, trace_chart
from plantid_core.web.application import workbench

cards.style()
st.title("Identify a plant", anchor=False)
header = st.container()
left, right = st.columns([1, 2], gap="large")

with left:
    question = form.ask(workbench())
    ready = bool(question.photos and question.providers)
    pressed = st.button("Identify", type="primary", disabled=not ready, width="stretch")

with right:
    if pressed:
        waiting = st.spinner("Asking all of them at once …", show_time=True)
        with waiting, cards.skeleton(question.providers):
            try:
                outcome = workbench().identify(
                    question.photos,
                    organs=question.organs,
                    place=question.place,
                    date=question.date,
                    providers=question.providers,
                    language=question.language,
                    user=st.context.ip_address or "local",
                )
                st.session_state["answered"] = (question.fingerprint(), outcome)
            except PlantIDError as error:
                st.error(str(error), icon=":material/error:")
    fingerprint, shown = st.session_state.get("answered", (None, None))
    if isinstance(shown, Outcome):
        if fingerprint != question.fingerprint():
            st.caption(
                "These answers belong to the former settings. Press *Identify* to ask again."
            )
        cards.show(shown)
        with st.expander("What happened", icon=":material/timeline:"):
            st.caption(trace_chart.finding(shown))
            st.plotly_chart(trace_chart.waterfall(shown), alt=trace_chart.finding(shown))
        with st.container(horizontal=True):
            mark = "-sandbox" if shown.sandbox else ""
            st.download_button(
                "Download CSV", download.as_csv(shown), f"plant{mark}.csv", "text/csv"
            )
            st.download_button(
                "Download JSON", download.as_json(shown), f"plant{mark}.json", "application/json"
            )
    else:
        st.info(
            "Here you will see the most likely species, and what each service says, side by side."
            " Add a photo on the left, or try the sample.",
            icon=":material/eco:",
        )

with header:
    cards.badges(workbench().readiness(), shown if isinstance(shown, Outcome) else None)
