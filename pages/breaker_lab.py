"""Breaker lab: watch a breaker work, and find the settings that lose the least."""

from __future__ import annotations

import streamlit as st

from plantid_core.web import breaker_live_panel, breaker_panel, breaker_simulate_panel
from plantid_core.web.session import desk

desk().require("lab.simulate")
breaker_panel.style()
st.title("Breaker lab", anchor=False)
st.caption(
    "A service that fails is left alone for a while, and is given its traffic back in steps. Watch it,"
    " or find the settings that send few bad calls and refuse few good ones."
)
live, simulate = st.tabs(["Live", "Simulate"], key="tab", on_change="rerun", bind="query-params")
if live.open:
    with live:
        breaker_live_panel.show(desk(), desk().settings.data_dir / "models")
if simulate.open:
    with simulate:
        breaker_simulate_panel.show()
