"""Compare: services side by side, on one plant or on a folder of labelled photos."""

from __future__ import annotations

import streamlit as st

from plantid_core.web import cards, compare_folder, compare_one, compare_table, herbarium_panel
from plantid_core.web.application import workbench

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
        compare_one.show(workbench())
if folder.open:
    with folder:
        compare_folder.show(workbench())
if herbarium.open:
    with herbarium:
        herbarium_panel.show(workbench())
with header:
    cards.badges(workbench().readiness(), None)
