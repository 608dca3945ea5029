"""The page *Operations*: its dress, its tabs, and a kind word for whoever may not see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.web import (
    breaker_panel,
    cards,
    door,
    operations_access,
    operations_deploy,
    operations_now,
)

if TYPE_CHECKING:
    from plantid_core.desk import Desk

_STYLE: Final = """<style>
.pid-figures{border-collapse:collapse;width:100%;margin:.2rem 0}
.pid-figures th,.pid-figures td{padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top;
border-bottom:1px solid rgba(128,128,128,.35)}
.pid-figures th{font-weight:600}.pid-figures td.pid-number{font-variant-numeric:tabular-nums}
.pid-figures code{overflow-wrap:anywhere}
.pid-figures .pid-error{color:light-dark(#a83200,#ff9d7a);font-weight:600;white-space:nowrap}
.pid-figures .pid-warning{font-weight:600;white-space:nowrap}
h2.pid-heading{font-size:1.25rem;padding:.6rem 0 .2rem}
@media (max-width:640px){
.st-key-operations_tiles [data-testid=stColumn]{min-width:calc(50% - 1rem);flex:1 1 0}
.pid-figures thead{position:absolute;clip-path:inset(50%)}
.pid-figures tr,.pid-figures td{display:block;border:0}
.pid-figures tr{border-bottom:1px solid rgba(128,128,128,.35);padding:.4rem 0}
.pid-figures td{padding:.1rem 0}}
</style>"""


def show(desk: Desk) -> None:
    """Draw the whole page."""
    cards.style()
    breaker_panel.style()
    st.html(_STYLE)
    st.title("Operations", anchor=False)
    if door.shut(
        desk, "operations.see", "This page is for whoever runs the app. Sign in as an admin."
    ):
        return
    st.caption(
        "How this process stands, who may come in, and what should be put right before strangers depend"
        " on it. Breakers are shared by all processes on one Redis; counts are this process's own."
    )
    now, access, deploy, settings = st.tabs(
        ["Now", "Access", "Deployment", "Settings"],
        key="tab",
        on_change="rerun",
        bind="query-params",
    )
    if now.open:
        with now:
            operations_now.show(desk)
    if access.open:
        with access:
            operations_access.show(desk)
    if deploy.open:
        with deploy:
            operations_deploy.findings(desk)
    if settings.open:
        with settings:
            operations_deploy.settings(desk)
