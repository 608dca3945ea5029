"""Requests around one expiry: a lane a strategy, its requests above and its calls upstream below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from plantid_core.lab.charts import style
from plantid_core.lab.charts.lane import AT_ONCE_S, Lane
from plantid_core.palette import NEUTRAL, said, strategy_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Floats

# A lane is 1 high: requests in the upper band, calls in the lower.
_REQUESTS: Final = (0.47, 0.97)
_CALLS: Final = (0.04, 0.37)
_THICKEST: Final = 0.075
# Gaps between more bars than these are thinner than a pixel, and blur.
_MOST_APART: Final = 20
_LANE_PX: Final = 112
_HEAD_PX: Final = 52
_AROUND_PX: Final = 104
# More dots than this say no more, and cost the browser time.
_MOST_DOTS: Final = 400
_GOLDEN: Final = 0.6180339887498949
_KINDS: Final = {
    "hit": ("answered at once", "circle"),
    "stale": ("answered with the old value", "diamond"),
    "wait": ("waited", "circle"),
    "failed": ("failed", "triangle-down-open"),
    "call": ("call upstream", "square"),
    "live": ("live, on real processes", style.LIVE),
}


def figure(
    records: Sequence[Record],
    live: Sequence[Record] = (),
    window: tuple[float, float] | None = None,
) -> go.Figure:
    """Return the lanes of the records, and live ones over them as crosses and hollow bars.

    Times are seconds from the value's soft expiry; ``window`` is the first and the last shown (None:
    all).
    """
    lanes = len(records)
    height = _AROUND_PX + max(lanes, 1) * (_LANE_PX + _HEAD_PX)
    inner = height - _AROUND_PX
    made = make_subplots(
        rows=max(lanes, 1),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=_HEAD_PX / inner if lanes > 1 else 0,
    )
    shown: set[str] = set()
    by_strategy = {record.strategy: record for record in live}
    for row, record in enumerate(records, start=1):
        shown |= _draw(made, record, row, live=False)
        other = by_strategy.get(record.strategy)
        if other is not None:
            shown |= {"live", *_draw(made, other, row, live=True)}
        _head(made, Lane.of(record), None if other is None else Lane.of(other), row)
    for kind in _KINDS:
        if kind in shown:
            _legend(made, kind)
    _axes(made, lanes, window)
    style.dress(made, height)
    # The legend stands above the first lane's heading, whose height is not the plot's.
    made.update_layout(
        legend={"y": 1 + (_HEAD_PX + 2) / inner, "itemclick": False, "itemdoubleclick": False},
        barmode="overlay",
        margin={"t": 84, "b": 20},
    )
    return made


def _draw(made: go.Figure, record: Record, row: int, *, live: bool) -> set[str]:
    requests = record.requests.sort_values("t_s", kind="stable")
    slow = requests.loc[(requests["wait_s"] > AT_ONCE_S) & (requests["how"] != "failed")]
    parts = {
        "hit": requests.loc[(requests["how"] == "hit") & (requests["wait_s"] <= AT_ONCE_S)],
        "stale": requests.loc[(requests["how"] == "stale") & (requests["wait_s"] <= AT_ONCE_S)],
        "failed": requests.loc[requests["how"] == "failed"],
        "wait": slow,
    }
    for kind, rows in parts.items():
        if len(rows):
            _requests(made, record.strategy, rows, (row, kind), live=live)
    if len(record.calls):
        _calls(made, record, row, live=live)
    kinds = {kind for kind, rows in parts.items() if len(rows)}
    return kinds | ({"call"} if len(record.calls) else set())


def _requests(
    made: go.Figure, strategy: str, rows: pd.DataFrame, place: tuple[int, str], *, live: bool
) -> None:
    row, kind = place
    waiting = kind in {"wait", "failed"}
    heights = _heights(len(rows), ordered=waiting)
    step = 1 if waiting else -(-len(rows) // _MOST_DOTS)
    rows, heights = rows.iloc[::step], heights[::step]
    tint = NEUTRAL if kind == "hit" else style.colour(strategy)
    if waiting:
        _lines(made, rows, heights, row, {"color": tint, "width": 1.4 if live else 1,
                                          "dash": "dot" if live else "solid"})  # fmt: skip
    marker = {"color": tint, "opacity": 0.7 if kind == "hit" else 1.0,
              "size": 4 if kind == "hit" else 5, "symbol": _KINDS[kind][1]}  # fmt: skip
    if live:
        marker |= {"symbol": f"{style.LIVE}-thin" if kind == "hit" else style.LIVE, "size": 6,
                   "line": {"width": 1, "color": tint}}  # fmt: skip
    made.add_trace(
        go.Scatter(
            x=rows["t_s"].to_numpy(),
            y=heights,
            mode="markers",
            marker=marker,
            name=f"{strategy_title(strategy)}: {_KINDS[kind][0]}{', live' if live else ''}",
            customdata=np.array([style.span(wait) for wait in rows["wait_s"]]),
            hovertemplate="at %{x:.3f} s, answered after %{customdata}<extra>%{fullData.name}</extra>",
            showlegend=False,
        ),
        row=row,
        col=1,
    )


def _heights(count: int, *, ordered: bool) -> Floats:
    low, high = _REQUESTS
    if ordered:  # one under the other as they came: a stampede is a wedge
        return np.linspace(high, low, count) if count > 1 else np.array([(low + high) / 2])
    return low + (high - low) * np.mod(np.arange(count, dtype=np.float64) * _GOLDEN, 1.0)


def _lines(
    made: go.Figure,
    rows: pd.DataFrame,
    heights: Floats,
    row: int,
    line: dict[str, object],
) -> None:
    begins, waits = rows["t_s"].to_numpy(), rows["wait_s"].to_numpy()
    gap = np.full(len(rows), np.nan)
    made.add_trace(
        go.Scatter(
            x=np.column_stack([begins, begins + waits, gap]).ravel(),
            y=np.column_stack([heights, heights, gap]).ravel(),
            mode="lines",
            line=line,
            hoverinfo="skip",
            showlegend=False,
        ),
        row=row,
        col=1,
    )


def _calls(made: go.Figure, record: Record, row: int, *, live: bool) -> None:
    calls = record.calls.sort_values("begin_s", kind="stable")
    low, high = _CALLS
    thick = min(_THICKEST, (high - low) / len(calls))
    tint = style.colour(record.strategy)
    made.add_trace(
        go.Bar(
            orientation="h",
            base=calls["begin_s"].to_numpy(),
            x=(calls["end_s"] - calls["begin_s"]).to_numpy(),
            y=high - thick * (np.arange(len(calls)) + 0.5),
            width=thick * (0.8 if len(calls) <= _MOST_APART else 1.0),
            marker={
                "color": "rgba(0,0,0,0)" if live else tint,
                "line": {"color": tint, "width": 1.5 if live else 0},
                "pattern": {"shape": ["x" if failed else "" for failed in calls["failed"]]},
            },
            name=f"{strategy_title(record.strategy)}: call upstream{', live' if live else ''}",
            hovertemplate="began at %{base:.3f} s<extra>%{fullData.name}</extra>",
            showlegend=False,
        ),
        row=row,
        col=1,
    )


def _head(made: go.Figure, lane: Lane, live: Lane | None, row: int) -> None:
    swatch = f'<span style="color:{style.colour(lane.strategy)}">■</span>'
    text = f"{swatch} <b>{strategy_title(lane.strategy)}</b>"
    if live:
        text += f" · live: {style.count(live.calls, 'call')}, ≤ {style.span(live.longest_wait_s)}"
    made.add_annotation(
        text=f"{text}<br>{_figures(lane)}", align="left", showarrow=False, font_size=13,
        xref="x domain", x=0, xanchor="left",
        yref=f"y{'' if row == 1 else row} domain", y=1, yanchor="bottom",
    )  # fmt: skip


def _figures(lane: Lane) -> str:
    stale = (
        f"{lane.stale:,} stale, ≤ {style.span(lane.stale_s)}" if lane.stale else "no answer stale"
    )
    failed = f" · {lane.failed:,} failed" if lane.failed else ""
    calls = style.count(lane.calls, "call")
    return f"{calls} · longest wait {style.span(lane.longest_wait_s)} · {stale}{failed}"


def _legend(made: go.Figure, kind: str) -> None:
    title, symbol = _KINDS[kind]
    made.add_trace(
        go.Scatter(
            x=[None],
            y=[None],
            mode="lines+markers" if kind == "wait" else "markers",
            line={"color": NEUTRAL, "width": 1.5},
            marker={"color": NEUTRAL, "symbol": symbol, "size": 11 if kind == "call" else 7},
            name=title,
            showlegend=True,
        ),
        row=1,
        col=1,
    )


def _axes(made: go.Figure, lanes: int, window: tuple[float, float] | None) -> None:
    made.update_yaxes(range=[0, 1], visible=False, fixedrange=True)
    made.update_xaxes(range=window, showgrid=True, showline=True, linecolor=style.RULE)
    made.update_xaxes(title="seconds from the value's expiry", row=max(lanes, 1), col=1)
    made.add_vline(x=0, line={"color": style.RULE, "dash": "dash", "width": 1.5})


def finding(records: Sequence[Record], live: Sequence[Record] = ()) -> str:
    """Return in a sentence or three what the lanes show."""
    lanes = [Lane.of(record) for record in records]
    if not lanes:
        return "No strategy is chosen, so nothing was asked."
    sentences = [_compared(lanes), *_stale(lanes), *_failed(lanes)]
    if live:
        real = [Lane.of(record) for record in live]
        each = ", ".join(
            f"{said(lane.strategy)} {style.count(lane.calls, 'call')}" for lane in real
        )
        sentences.append(f"Live, on real processes: {each}.")
    return " ".join(sentences)


def _compared(lanes: list[Lane]) -> str:
    first = lanes[0]
    if len(lanes) == 1:
        return f"Around this expiry {_did(first)}."
    if len({(lane.calls, lane.waiters) for lane in lanes}) == 1:
        calls = style.count(first.calls, "call")
        slowest = max(lanes, key=lambda lane: lane.longest_wait_s)
        told = {style.span(lane.longest_wait_s) for lane in lanes}
        return f"Around this expiry all made {calls} and let {_waiting(slowest, alike=len(told) == 1)}."
    worst = max(lanes, key=lambda lane: (lane.calls, lane.longest_wait_s))
    best = min(lanes, key=lambda lane: (lane.failed, lane.calls, lane.longest_wait_s))
    if worst is best:  # it made the most calls, and is the only one none of whose requests failed
        best = min(lanes, key=lambda lane: (lane.calls, lane.longest_wait_s))
    return f"Around this expiry {_did(worst)}; {_did(best)}."


def _did(lane: Lane) -> str:
    return f"{said(lane.strategy)} made {style.count(lane.calls, 'call')} and let {_waiting(lane)}"


def _waiting(lane: Lane, *, alike: bool = True) -> str:
    if not lane.waiters:
        return "nobody wait"
    bound = lane.waiters > 1 or not alike
    most = f"{'up to ' if bound else ''}{style.span(lane.longest_wait_s)}"
    return f"{style.count(lane.waiters, 'request')} wait {most}"


def _stale(lanes: list[Lane]) -> list[str]:
    return [
        f"{said(lane.strategy, first=True)} answered {style.count(lane.stale, 'request')} with the old"
        f" value, at most {style.span(lane.stale_s)} past its time."
        for lane in lanes
        if lane.stale
    ]


def _failed(lanes: list[Lane]) -> list[str]:
    bad = [lane for lane in lanes if lane.failed]
    if not bad:
        return []
    each = ", ".join(f"{said(lane.strategy)} {lane.failed:,}" for lane in bad)
    return [f"Requests that failed: {each}."]
