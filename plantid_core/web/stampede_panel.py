"""The drawing of *Stampede lab*: lanes, curves, live points, and what can be taken along."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Final

import pandas as pd
import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.lab.charts import ChartNotExported, curve, lane, png, trade_off, waits, waterfall
from plantid_core.palette import duration, strategy_title
from plantid_core.web import real_runs, stampede_engine, stampede_live
from plantid_core.web.stampede_data import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

    from plantid_core.desk import Desk
    from plantid_core.lab.record import Record
    from plantid_core.web.stampede_controls import Choice

_STYLE: Final = """<style>
.stMainBlockContainer{padding-top:3.5rem}
.pid-finding{font-size:1.15rem;line-height:1.45;border-left:5px solid #009E73;padding-left:.7rem}
</style>"""
_TABS: Final = ("Stampede size", "Waiting", "Trade-off")
_TICK_S: Final = 0.5
_PNG_PX: Final = 1000
# The compiled kernels come from the disk in less than that, but for the first time.
_PATIENCE_S: Final = 0.4
_PLOT: Final = {"displayModeBar": False, "scrollZoom": False}
_INK: Final = ("#1d2b22", "#e7eee9")
# What a run takes beside its requests: the rig to start, keys to warm, last answers to wait for.
_START_S, _EACH_S = 4.0, 2.0
_LIVE: Final = "stampede_live"


def style() -> None:
    """Give the page what its sentences are dressed in."""
    st.html(_STYLE)


def show(desk: Desk, choice: Choice) -> None:
    """Draw everything for at least one strategy."""
    records, problem = stampede_engine.tried(choice)
    if problem:
        st.error(f"{problem} Change a setting on the left.", icon=":material/error:")
        return
    runs = _runs_of(choice)
    live = _live_windows(runs, choice)
    figure = waterfall.figure(records, live, (-choice.window[0], choice.window[1]))
    said = waterfall.finding(records, live)
    _chart(figure, said, "lanes")
    st.html(f'<div class="pid-finding" role="status">{escape(said)}</div>')
    for caveat in choice.caveats():
        st.caption(caveat)
    _live_controls(desk, choice)
    shown = Shown(records, live, live=_landed(runs, choice))
    rows, chart = _below(choice, shown)
    shown = replace(shown, curve=rows)
    _take_along(choice, shown, {"lanes": figure} | chart)


def _chart(figure: go.Figure, finding: str, key: str) -> None:
    # Streamlit's theme writes annotations in a faint grey, which is no colour for a heading.
    figure.update_annotations(font_color=_INK[st.context.theme.type == "dark"])
    st.plotly_chart(figure, width="stretch", alt=finding, key=key, config=_PLOT)


def _below(choice: Choice, shown: Shown) -> tuple[pd.DataFrame | None, dict[str, go.Figure]]:
    """Draw what the fast engine makes, once it is there; return the curve's rows and the open chart."""
    ready = stampede_engine.readiness(_PATIENCE_S)
    if ready == "compiling":
        _compiling()
        return None, {}
    if ready == "failed":
        st.warning(
            "The fast engine could not be compiled on this machine, so there are no curves; the lanes"
            " above are complete. What went wrong has been logged.",
            icon=":material/warning:",
        )
        return None, {}
    try:
        return _curves(choice, shown.live)
    except PlantIDError as error:
        st.error(f"{error} Change a setting on the left.", icon=":material/error:")
        return None, {}


@st.fragment(run_every=_TICK_S)
def _compiling() -> None:
    with st.container(border=True, height=430):
        st.markdown("**Compiling the fast engine, once on this machine…**")
        st.caption(
            "The curves need it: calls per expiry against load, how long requests wait, and what is"
            " traded for what. About twenty seconds; the lanes above need no compiling."
        )
        st.skeleton(height=280)
    if stampede_engine.readiness() != "compiling":
        st.rerun()


def _curves(choice: Choice, landed: Sequence[Record]) -> tuple[pd.DataFrame, dict[str, go.Figure]]:
    real = pd.concat([record.summary() for record in landed]) if landed else None
    tabs = st.tabs(_TABS, key="view", bind="query-params", on_change="rerun")
    place = next((place for place, tab in enumerate(tabs) if tab.open), 0)
    name = _TABS[place]
    with st.spinner("Simulating many expiries …", show_time=True):
        rows = stampede_engine.curve(choice.strategies, choice.workload, choice.seed)
        many = stampede_engine.many(choice) if name != "Stampede size" else []
    more = ""
    if name == "Waiting":
        figure, said = waits.figure(many, landed), waits.finding(many)
    elif name == "Trade-off":
        figures = pd.concat([record.summary() for record in many], ignore_index=True)
        figure, said = trade_off.figure(figures, real), trade_off.finding(figures)
        more = " The larger a point, the more answers were stale."
    else:
        load, beta = choice.workload.load, choice.workload.beta
        figure, said = curve.figure(rows, real, load=load, beta=beta), curve.finding(rows, real)
    with tabs[place]:
        _chart(figure, said, name)
        st.caption(said + more)
    return rows, {name.lower(): figure}


def _runs_of(choice: Choice) -> stampede_live.LiveRuns | None:
    runs = st.session_state.get(_LIVE)
    return runs if isinstance(runs, stampede_live.LiveRuns) and runs.fits(choice) else None


def _landed(runs: stampede_live.LiveRuns | None, choice: Choice) -> list[Record]:
    landed = [] if runs is None else [run.record for run in runs.landed.values()]
    return [record for record in landed if record.strategy in choice.strategies]


def _live_windows(runs: stampede_live.LiveRuns | None, choice: Choice) -> list[Record]:
    if runs is None:
        return []
    lead_s, after_s = choice.window
    cut = [lane.around(run.record, lead_s, after_s, run.warmed_s) for run in runs.landed.values()]
    return [record for record in cut if record is not None]


def _live_controls(desk: Desk, choice: Choice) -> None:
    refusal = real_runs.refusal(desk)
    if refusal is not None:
        st.caption(refusal)
        return
    runs = st.session_state.get(_LIVE)
    if isinstance(runs, stampede_live.LiveRuns) and runs.running:
        st.fragment(_live_progress, run_every=_TICK_S)(runs, len(runs.landed))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Run it for real", icon=":material/play_arrow:", type="primary"):
            _begin(desk, choice)
        st.caption(_live_terms(choice))
    if isinstance(runs, stampede_live.LiveRuns):
        _live_outcome(runs, choice)


def _begin(desk: Desk, choice: Choice) -> None:
    desk.require("lab.live")
    begun = stampede_live.begin(choice)
    if begun is None:
        st.warning(
            "Somebody else's live run is under way, and two would spoil each other's times. Try again"
            " in a minute.",
            icon=":material/hourglass_top:",
        )
        return
    st.session_state[_LIVE] = begun
    st.rerun()


def _live_terms(choice: Choice) -> str:
    work = stampede_live.bounded(choice.workload)
    seconds = _START_S + (work.duration_s + _EACH_S) * len(choice.strategies)
    return (
        f"{work.processes} processes, a Valkey and a service of its own: about {seconds:.0f} s in all,"
        f" with a TTL of {duration(work.ttl_s * 1e3)}."
    )


def _live_progress(runs: stampede_live.LiveRuns, landed: int) -> None:
    runs.seen()
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Stop the run", icon=":material/stop:", disabled=runs.stopped):
            runs.stop()
        st.progress(runs.progress.share, "Stopping …" if runs.stopped else runs.progress.doing)
    if len(runs.landed) != landed or not runs.running:
        st.rerun()


def _live_outcome(runs: stampede_live.LiveRuns, choice: Choice) -> None:
    if runs.error:
        st.error(runs.error, icon=":material/error:")
    elif not runs.fits(choice):
        st.caption("The last live run had other settings. Run it again to see its points here.")
    elif runs.stopped:
        names = ", ".join(strategy_title(name) for name in runs.landed) or "no strategy"
        st.caption(f"Stopped. Live points are here for {names}.")
    elif runs.landed:
        st.caption(
            "Crosses and hollow bars are live: of each run the expiry with the median number of calls."
            f" {_lateness(runs)}"
        )


def _lateness(runs: stampede_live.LiveRuns) -> str:
    worst = max(runs.landed.values(), key=lambda run: run.lateness_p99_s)
    return " ".join(worst.notes) or (
        f"99 of 100 requests were sent within {duration(worst.lateness_p99_s * 1e3)} of their time."
    )


def _take_along(choice: Choice, shown: Shown, charts: Mapping[str, go.Figure]) -> None:
    foretold = shown.curve is not None

    def data() -> bytes:
        many = stampede_engine.many(choice) if foretold else []
        return replace(shown, many=many).zipped()

    with st.container(horizontal=True):
        st.download_button(
            "Download data (CSVs, zipped)",
            data,
            "stampede.zip",
            "application/zip",
            on_click="ignore",
        )
        asked = [name for name in charts if st.button(f"Make a picture (PNG): {name}")]
        for name in asked:
            _picture(charts[name], name)
    with st.expander("Take these settings with you", icon=":material/content_copy:"):
        _environment(choice, foretold=foretold)


def _picture(figure: go.Figure, name: str) -> None:
    try:
        with st.spinner("Drawing …"):
            made = png(figure, _PNG_PX)
    except ChartNotExported as error:
        st.error(str(error), icon=":material/error:")
        return
    file = f"stampede-{name.replace(' ', '-')}.png"
    st.download_button("Download picture", made, file, "image/png", type="primary")


def _environment(choice: Choice, *, foretold: bool) -> None:
    from plantid_core.lab import environment

    strategy = "lease" if "lease" in choice.strategies else choice.strategies[0]
    record = stampede_engine.run(choice, strategy) if foretold else None
    st.caption("Set these where the app starts, and its own cache keeps to them.")
    st.code(environment.lines(choice.workload, strategy, record), language="bash", wrap_lines=True)
