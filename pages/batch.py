"""Batch: many photos at once, and a table of all answers."""

from __future__ import annotations

import streamlit as st

from plantid_core.web import batch_panel, cards
from plantid_core.web.session import desk

cards.style()
st.title("Batch", anchor=False)
header = st.container()
batch_panel.show(desk())
with header:
    cards.badges(desk().readiness(), None)
