"""History: what is kept, found again, confirmed or put right, exported, deleted."""

from __future__ import annotations

import streamlit as st

from plantid_core.web import cards, compare_table, history_panel
from plantid_core.web.session import desk

cards.style()
compare_table.style()
history_panel.style()
st.title("History", anchor=False)
header = st.container()
history_panel.show(desk())
with header:
    cards.badges(desk().readiness(), None)
