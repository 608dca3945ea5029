"""What both tabs of *Breaker lab* share: its dress, the breaker's settings, charts with their sentence."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.lab.breaker_charts import SYMBOLS
from plantid_core.lab.breaker_sim import CONTESTANTS, BadProtection, Protection, environment
from plantid_core.lab.charts import ChartNotExported, png

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import plotly.graph_objects as go
    from streamlit.delta_generator import DeltaGenerator

_START = CONTESTANTS["quick and by rates"]
_STYLE = """<style>
.stMainBlockContainer{padding-top:3.5rem}
.pid-state{display:inline-block;border-radius:999px;padding:.15rem .8rem;font-weight:600;
white-space:nowrap}
.pid-closed{background:#00664b;color:#fff}.pid-open{background:#a84300;color:#fff}
.pid-half-open{background:#E69F00;color:#111}
.pid-row{display:flex;flex-wrap:wrap;gap:.4rem 1rem;align-items:center}
.pid-row small{opacity:.8}
@media (max-width:640px){
[data-testid=stExpander] [data-testid=stHorizontalBlock]{flex-wrap:nowrap}
[data-testid=stExpander] [data-testid=stColumn]{min-width:0;flex:1 1 0}}
.pid-finding{font-size:1.05rem;line-height:1.45;border-left:5px solid #0072B2;padding-left:.7rem}
</style>"""


def style() -> None:
    """Give the page what it is dressed in."""
    st.html(_STYLE)


def badge(state: str, *more: str) -> None:
    """Show a state by colour, sign and word, and what else there is to say of it."""
    notes = "".join(f"<small>{escape(note)}</small>" for note in more if note)
    word = f"{SYMBOLS.get(state, '')} {escape(state)}"
    st.html(
        f'<div class="pid-row" role="status"><span class="pid-state pid-{escape(state)}">{word}'
        f"</span>{notes}</div>"
    )


def finding(sentence: str) -> None:
    """Show what a chart says in a sentence."""
    st.html(f'<div class="pid-finding">{escape(sentence)}</div>')


def chart(figure: go.Figure, sentence: str, key: str) -> None:
    """Draw a chart; its sentence is its alternative text."""
    st.plotly_chart(figure, key=key, alt=sentence, config={"displayModeBar": False})


def settings() -> Protection | None:
    """Ask for the breaker's settings; None, and a sentence, for those that cannot be."""
    with st.expander("The breaker's settings", icon=":material/tune:", expanded=True):
        cells = _cells()
        with next(cells):
            fail_max = _whole("Failures in a row", "fail_max", 1, 50, "open it")
        with next(cells):
            failure = _number(
                "Failure rate", "failure_rate", 0.05, 1.0, "share that opens it", 0.05
            )
        with next(cells):
            reset = _number(
                "Open for, s", "reset_timeout", 0.5, 120.0, "at first; longer after a failed probe"
            )
        with next(cells):
            slow = _number("Slow rate", "slow_rate", 0.05, 1.0, "share that opens it", 0.05)
        with next(cells):
            longest = _number(
                "At most for, s", "longest_open_s", 0.5, 600.0, "however often it fails"
            )
        with next(cells):
            slow_from = _number("Slow from, s", "slow_call_s", 0.1, 30.0, "a call is slow", 0.1)
        with next(cells):
            least = _whole("Least calls", "minimum_calls", 1, 200, "before a rate counts")
        with next(cells):
            window = _number("Window, s", "window_s", 1.0, 120.0, "that the rates are taken over")
        with next(cells):
            probes = _whole("Probes", "permitted_probes", 1, 10, "must succeed before it closes")
        ramp = st.toggle(
            "Ramp of 1, 5, 25 %",
            value=_START.ramp,
            key="ramp",
            bind="query-params",
            help="Traffic comes back in three steps of a second each",
        )
    try:
        return Protection(
            fail_max=fail_max,
            reset_timeout=reset,
            longest_open_s=longest,
            permitted_probes=probes,
            minimum_calls=least,
            failure_rate=failure,
            slow_rate=slow,
            slow_call_s=slow_from,
            window_s=window,
            ramp=ramp,
            growth=_START.growth,
        )
    except BadProtection as error:
        st.error(str(error), icon=":material/error:")
        return None


def _cells() -> Iterator[DeltaGenerator]:
    """Give places in two columns, row by row, so that their fields are level."""
    while True:
        yield from st.columns(2, vertical_alignment="bottom")


def _number(label: str, name: str, least: float, most: float, why: str, step: float = 0.5) -> float:
    value = float(getattr(_START, name))
    return float(
        st.number_input(
            label, least, most, value, step, format="%g", key=name, bind="query-params", help=why
        )
    )


def _whole(label: str, name: str, least: int, most: int, why: str) -> int:
    value = int(getattr(_START, name))
    return int(
        st.number_input(label, least, most, value, 1, key=name, bind="query-params", help=why)
    )


def take_away(protection: Protection) -> None:
    """Offer the settings as lines of the app's environment."""
    with st.expander("Take these settings with you", icon=":material/content_copy:"):
        lines = environment(protection)
        st.code(lines, language="bash")
        st.caption(
            "Set these before the app starts. Growth, probes and ramp are the app's own and have no"
            " variable."
        )
        st.download_button("Download as .env", lines, "breaker.env", "text/plain")


def downloads(name: str, rows: pd.DataFrame, figure: go.Figure) -> None:
    """Offer a chart's figures as CSV, and the chart as PNG once it is asked for."""
    with st.container(horizontal=True):
        st.download_button(
            "Download CSV",
            rows.to_csv(index=False).encode(),
            f"breaker-{name}.csv",
            "text/csv",
            key=f"{name}-csv",
            on_click="ignore",
        )
        if not st.button("Draw PNG", key=f"{name}-draw"):
            return
        try:
            with st.spinner("Drawing …", show_time=True):
                picture = png(figure)
        except ChartNotExported as error:
            st.warning(str(error), icon=":material/image_not_supported:")
            return
        st.download_button(
            "Download PNG",
            picture,
            f"breaker-{name}.png",
            "image/png",
            key=f"{name}-png",
            on_click="ignore",
        )
