"""The breaker lab's ribbon: the breaker's state over the time, above the service's error rate.

Each state has a colour, a height and a word; each chart has a sentence with its finding, which is its
caption and its alternative text. Backgrounds are transparent, so that a light and a dark page both do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from plotly.subplots import make_subplots

from plantid_core.palette import NEUTRAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import plotly.graph_objects as go

    from plantid_core.lab.breaker_sim.simulation import Run

STATES = {"closed": "#009E73", "open": "#D55E00", "half-open": "#E69F00"}
SYMBOLS = {"closed": "●", "open": "✕", "half-open": "◐"}
# A line that swells: who cannot tell the colours apart can tell these.
_HEIGHTS = {"closed": 0.4, "half-open": 0.7, "open": 1.0}
# Both stand out from white and from black, and neither is a state's.
_ERRORS, _REFUSED = "#B2559B", "#2F86C8"
# What is drawn of a run before its trouble, and after it.
_BEFORE_S, _AFTER_S = 20.0, 40.0
# A span of this share of the whole has room for its word.
_ROOM = 0.09
_CLEAR = "rgba(0,0,0,0)"


def ribbon(
    timeline: pd.DataFrame,
    states: pd.DataFrame,
    ill: Sequence[tuple[float, float]] = (),
    *,
    span_s: tuple[float, float] | None = None,
) -> go.Figure:
    """Return the state ribbon over the error rate and the share refused, by the second.

    ``timeline`` and ``states`` are those of a `Run`; ``ill`` are the (begin, end) of what the service
    suffered from, ``span_s`` is the part of the time to be drawn (None: all of it).
    """
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.16, 0.84], vertical_spacing=0.05
    )
    begin, end = _span(timeline, states) if span_s is None else span_s
    for state, colour in STATES.items():
        rows = states.loc[states["state"] == state]
        lengths = rows["end_s"] - rows["begin_s"]
        word = f"{SYMBOLS[state]} {state}"
        figure.add_bar(
            name=word,
            x=lengths,
            base=rows["begin_s"],
            y=["state"] * len(rows),
            orientation="h",
            width=_HEIGHTS[state],
            marker={"color": colour, "line": {"width": 0}},
            text=[word if length >= _ROOM * (end - begin) else "" for length in lengths],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            textfont={"color": "#111111" if state == "half-open" else "#ffffff"},
            customdata=np.column_stack([rows["begin_s"], rows["end_s"]]),
            hovertemplate=f"{word} from %{{customdata[0]:.1f}} to %{{customdata[1]:.1f}} s<extra></extra>",
            row=1,
            col=1,
        )
    # Bars without a gap: an area that is absent where nothing was sent.
    figure.add_bar(
        name="errors (of calls sent)",
        x=timeline["second"] + 0.5,
        y=timeline["error_rate"],
        width=1,
        marker={"color": _ERRORS, "opacity": 0.85, "line": {"width": 0}},
        hovertemplate="%{y:.0%} errors at %{x:.0f} s<extra></extra>",
        row=2,
        col=1,
    )
    offered = timeline["offered"].to_numpy()
    figure.add_scatter(
        name="refused (of requests)",
        x=timeline["second"],
        y=np.divide(timeline["refused"], offered, out=np.zeros(len(timeline)), where=offered > 0),
        mode="lines",
        line={"color": _REFUSED, "width": 1.5, "dash": "dot", "shape": "hv"},
        hovertemplate="%{y:.0%} refused at %{x} s<extra></extra>",
        row=2,
        col=1,
    )
    for left, right in ill:
        figure.add_vrect(
            left, right, fillcolor=NEUTRAL, opacity=0.22, line_width=0, layer="below", row=2, col=1,
        )  # fmt: skip
    if ill:  # a word inside would be written over by the next spell, or the curves
        figure.add_bar(
            name="service ill",
            x=[None],
            y=[None],
            marker={"color": NEUTRAL, "opacity": 0.4},
            row=2,
            col=1,
        )
    figure.update_xaxes(range=[begin, end], showgrid=False)
    figure.update_xaxes(title="seconds", row=2, col=1)
    figure.update_yaxes(visible=False, fixedrange=True, row=1, col=1)
    figure.update_yaxes(
        range=[0, 1.16],
        tickformat=".0%",
        tickvals=[0, 0.25, 0.5, 0.75, 1],
        title="share",
        row=2,
        col=1,
    )
    return dressed(figure, 380).update_layout(barmode="overlay", bargap=0)


def _span(timeline: pd.DataFrame, states: pd.DataFrame) -> tuple[float, float]:
    ends = [float(states["end_s"].max()) if len(states) else 1.0]
    ends += [float(timeline["second"].max()) + 1] if len(timeline) else []
    return 0.0, max(ends)


def trouble(run: Run) -> tuple[float, float]:
    """Return the part of a run worth seeing: from 20 s before its trouble to 40 s after the recovery."""
    begin, end = _span(run.timeline, run.states)
    apart = run.states.loc[run.states["state"] != "closed"]
    first = [run.scenario.begin_s, *apart["begin_s"]]
    last = [run.scenario.end_s, *apart["end_s"]]
    return max(begin, min(first) - _BEFORE_S), min(end, max(last) + _AFTER_S)


def ribbon_finding(run: Run) -> str:
    """Return what one run showed."""
    found = run.outcome
    who = run.protection.name
    sent, refused = found["bad_calls_sent"], found["good_calls_refused"]
    end = f"{many(sent, 'bad call')} went out; {found['availability']:.0%} were answered in time."
    if run.protection.kind == "none":
        return f"Nothing stood before the service: {end}"
    if not found["opened"]:
        return f"{capital(who)} never opened: {end}"
    back = (
        f"was closed {found['time_to_recover_s']:.1f} s after the trouble's end"
        if found["recovered"]
        else "was not closed again by the end of the run"
    )
    return (
        f"{capital(who)} opened {found['time_to_open_s']:.1f} s after the trouble began and {back}"
        f" ({many(found['openings'], 'opening')}). {capital(end[:-1])}, and"
        f" {many(refused, 'request')} were refused while the service was well."
    )


def live_finding(timeline: pd.DataFrame, states: pd.DataFrame) -> str:
    """Return where a breaker that runs for real stands, and what it has done."""
    if timeline.empty or states.empty:
        return "Nothing has been sent yet."
    state = str(states["state"].iloc[-1])
    sent = timeline[["ok", "failed"]].sum()
    openings = int((states["state"] == "open").sum())
    return (
        f"The breaker is {state}, after {many(openings, 'opening')}. {int(sent['ok'])} requests were"
        f" answered, {int(sent['failed'])} failed, {int(timeline['refused'].sum())} were refused."
    )


def dressed(figure: go.Figure, height: int) -> go.Figure:
    """Return the figure without a background, its legend above it."""
    return figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 48, "b": 8},
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )


def many(count: int, thing: str) -> str:
    """Return a count of things in words."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def capital(sentence: str) -> str:
    """Return a sentence with its first letter as it begins one."""
    return sentence[:1].upper() + sentence[1:]
