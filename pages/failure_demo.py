"""Failure demo: break the running app, and watch everybody be answered."""

from __future__ import annotations

import streamlit as st

from plantid_core.web.application import workbench
from plantid_core.web.stage import board
from plantid_core.web.stage.theatre import stage

board.style()
st.title("Failure demo", anchor=False)
st.caption(
    "Each switch breaks a part of this very app, for everybody who uses it. One page at a time has"
    " the stage, and a stage that is left resets itself."
)
board.live(stage(workbench()))
with st.expander("Drills", icon=":material/fact_check:"):
    board.drills(stage(workbench()))
