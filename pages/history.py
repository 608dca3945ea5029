"""History: what is kept, found again, confirmed or put right, exported, deleted."""

from __future__ import annotations

import streamlit as st

from plantid_core.web import application, cards, compare_table, history_panel

cards.style()
compare_table.style()
history_panel.style()
st.title("History", anchor=False)
header = st.container()
history_panel.show(application.workbench())
with header:
    cards.badges(application.workbench().readiness(), None)
