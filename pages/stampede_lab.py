"""Stampede lab: what happens around a value's expiry, under each strategy."""

from __future__ import annotations

import streamlit as st

from plantid_core.web import stampede_controls, stampede_panel, stampede_trace
from plantid_core.web.session import desk

desk().require("lab.simulate")
stampede_panel.style()
st.title("Stampede lab", anchor=False)
st.caption(
    "A popular value expires, and everybody who asks for it finds nothing. What each strategy makes of"
    " that moment: the lanes run the strategies' own code on a virtual clock, the curves a compiled model"
    " of it. For real, too, if you like."
)
left, right = st.columns([1, 2.4], gap="large")
with left:
    choice = stampede_controls.choose()
with right:
    if choice.strategies:
        stampede_panel.show(desk(), choice)
    else:
        st.info(
            "Here you will see requests, waiters and calls upstream around one expiry, a lane a"
            " strategy. Choose a strategy on the left.",
            icon=":material/stacked_line_chart:",
        )
    stampede_trace.show(choice)
