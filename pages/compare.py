"""Compare: services side by side, on one plant or on a folder of labelled photos."""

from __future__ import annotations

import streamlit as st

from plantid_core.web import cards, compare_folder, compare_one, compare_table, herbarium_panel
from plantid_core.web.session import desk

cards.style()
compare_table.style()
st.title("Compare", anchor=False)
header = st.container()
one, folder, herbarium = st.tabs(
    ["One plant", "A labelled folder", "Local herbarium"],
    key="tab",
    on_change="rerun",
    bind="query-params",
)
if one.open:
    with one:
        compare_one.show(desk())
if folder.open:
    with folder:
        compare_folder.show(desk())
if herbarium.open:
    with herbarium:
        herbarium_panel.show(desk())
with header:
    cards.badges(desk().readiness(), None)
