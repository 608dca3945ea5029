"""*Breaker lab*, live: a real breaker before a sandbox of its own, whose faults are at hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from plantid_core.lab import breaker_charts
from plantid_core.lab.breaker_live import LONGEST_S, RATE, Faults, Live, Press, TooManyLive
from plantid_core.web import breaker_panel, real_runs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from plantid_core.desk import Desk
    from plantid_core.lab.breaker_sim import Protection

_LIVE = "breaker_live"
_SHOWN_S = 120.0
_SHOWN_ENTRIES = 12


def show(desk: Desk, models: Path | None) -> None:
    """Draw the tab; ``models`` is where the sandbox's models may have been built."""
    refusal = real_runs.refusal(desk)
    if refusal is not None:
        st.info(refusal, icon=":material/lock:")
        return
    left, right = st.columns([1, 2], gap="large")
    with left:
        live = _current()
        start = st.container()
        faults = _faults()
        _hands(live)
        protection = breaker_panel.settings()
        with start:
            live = _start_or_stop(live, protection, faults, partial(_started, desk, models))
    if live is not None and live.running:
        live.suffer(faults)
        if protection is not None:
            live.use(protection)
    with right:
        if live is None:
            st.info(
                "Here you will see a breaker at work: a sandbox of your own is sent"
                f" {RATE:g} requests a second through it. Press *Start*, then make the service fail.",
                icon=":material/electrical_services:",
            )
            return
        watch = st.fragment(_watch, run_every=1.0 if live.running else None)
        watch(live)


def _current() -> Live | None:
    live: Live | None = st.session_state.get(_LIVE)
    return live


def _started(desk: Desk, models: Path | None, protection: Protection, faults: Faults) -> Live:
    desk.require("lab.live")
    return Live(protection, faults, models=models)


def _start_or_stop(
    live: Live | None,
    protection: Protection | None,
    faults: Faults,
    begin: Callable[[Protection, Faults], Live],
) -> Live | None:
    running = live is not None and live.running
    # Both are always there: one in the other's place would move, for a moment, what lies under the hand.
    left, right = st.columns(2)
    start = left.button(
        "Start",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=running or protection is None,
    )
    stop = right.button("Stop", icon=":material/stop:", width="stretch", disabled=not running)
    if stop and live is not None:
        with st.spinner("Ending the sandbox …"):
            live.stop()
        st.rerun()
    if start and not running and protection is not None:
        try:
            st.session_state[_LIVE] = begin(protection, faults)
        except TooManyLive as error:
            st.warning(str(error), icon=":material/hourglass_top:")
        else:
            st.rerun()
    return live


def _faults() -> Faults:
    with st.container(border=True):
        st.markdown("**The service**")
        rate = st.slider(
            "Error rate, %", 0, 100, 0, 5, key="errors", bind="query-params",
            help="Share of the calls that are answered with 503",
        )  # fmt: skip
        latency = st.slider(
            "Latency, ms", 20, 3000, 50, 10, key="latency", bind="query-params",
            help="Half of the answers take longer; a call is given up after 2 s",
        )  # fmt: skip
        named = st.slider(
            "Retry-After, s", 0, 30, 0, key="retry_after", bind="query-params",
            help="What a 503 asks for; 0: it asks for nothing",
        )  # fmt: skip
        out = st.toggle(
            "Outage", key="outage", bind="query-params", help="Every connection is reset"
        )
    return Faults(rate / 100, latency / 1e3, out, float(named) if named else None)


def _hands(live: Live | None) -> None:
    able = live is not None and live.running
    with st.container(border=True):
        st.markdown("**By hand**")
        with st.container(horizontal=True):
            _hand(live, "Force open", "forced-open", able=able)
            _hand(live, "Force closed", "disabled", able=able)
            _hand(live, "Release", "auto", able=able)


def _hand(live: Live | None, label: str, what: Press, *, able: bool) -> None:
    if st.button(label, key=f"hand-{what}", disabled=not able) and live is not None:
        live.press(what)


def _watch(live: Live) -> None:
    live.seen()
    if live.phase == "starting":
        with st.spinner("A sandbox of your own is starting; this takes a second or two …"):
            st.skeleton(height=380)
        return
    if live.phase == "failed":
        st.error(
            f"The sandbox could not be had. {live.error} Press *Start* to try again.",
            icon=":material/error:",
        )
        return
    timeline, states = live.timeline(), live.states()
    held = "" if live.mode == "auto" else "held by hand"
    time = f"{live.left_s:.0f} s left of {LONGEST_S:.0f}" if live.running else "ended"
    breaker_panel.badge(live.state, held, time, "sandbox: no real service is asked")
    sentence = breaker_charts.live_finding(timeline, states)
    end = max(live.book.now(), 20.0)
    figure = breaker_charts.ribbon(timeline, states, span_s=(max(0.0, end - _SHOWN_S), end))
    breaker_panel.chart(figure, sentence, "live-ribbon")
    breaker_panel.finding(sentence)
    st.markdown("**What happened**")
    entries = live.entries()
    log = pd.DataFrame(
        [(f"{entry.at_s:.1f} s", entry.about, entry.what) for entry in entries[:_SHOWN_ENTRIES]],
        columns=["when", "about", "what"],
    )
    st.dataframe(
        log,
        hide_index=True,
        alt="The event log, the latest first",
        column_config={
            "when": st.column_config.TextColumn(width=60),
            "about": st.column_config.TextColumn(width=70),
            "what": st.column_config.TextColumn(width="large"),
        },
    )
    if live.running:
        return
    breaker_panel.downloads("live", timeline, figure)
    if st.session_state.get("breaker_live_ended") is not live:
        # The page around it still offers to stop it.
        st.session_state["breaker_live_ended"] = live
        st.rerun()
