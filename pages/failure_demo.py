"""Failure demo: break the running app, and watch everybody be answered."""

from __future__ import annotations

import streamlit as st

from plantid_core.web.session import desk
from plantid_core.web.stage import board
from plantid_core.web.stage.seat import Seat
from plantid_core.web.stage.theatre import stage

board.style()
st.title("Failure demo", anchor=False)
st.caption(
    "Each switch breaks a part of this very app, for everybody who uses it. One page at a time has"
    " the stage, and a stage that is left resets itself."
)
seat = Seat(stage(desk().workbench_for("stage.see")), desk(), board.session())
board.live(seat)
with st.expander("Drills", icon=":material/fact_check:"):
    board.drills(seat)
