"""The charts of many runs: a map of two settings, and what each setting trades for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from plantid_core.lab.breaker_charts import capital, dressed, many
from plantid_core.lab.breaker_sim.sweep import AXES, OUTCOMES
from plantid_core.palette import NEUTRAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from plantid_core.lab.breaker_sim.sweep import Outcome

_MARKERS = (
    "circle",
    "square",
    "diamond",
    "cross",
    "x",
    "triangle-up",
    "star",
    "hexagon",
    "pentagon",
)


def heat(rows: pd.DataFrame, across: str, up: str, outcome: str) -> go.Figure:
    """Return a map of a sweep: two settings, and a figure (mean over the seeds) as colour and number."""
    table = _table(rows, across, up, outcome)
    figure_of = OUTCOMES[outcome]
    values = table.to_numpy(dtype=float)
    figure = go.Figure(
        go.Heatmap(
            x=[f"{value:g}" for value in table.columns],
            y=[f"{value:g}" for value in table.index],
            z=values,
            text=[[_short(value, figure_of) for value in row] for row in values],
            texttemplate="%{text}",
            # One hue from light to dark is told apart by every eye, and in print.
            colorscale="Cividis",
            reversescale=figure_of.low_is_good,
            xgap=1,
            ygap=1,
            colorbar={"title": figure_of.unit, "thickness": 12},
            hovertemplate=(
                f"{AXES[across].title} %{{x}}<br>{AXES[up].title} %{{y}}<br>"
                f"{figure_of.title} %{{text}} {figure_of.unit}<extra></extra>"
            ),
        )
    )
    figure.update_xaxes(title=AXES[across].heading, type="category")
    figure.update_yaxes(title=AXES[up].heading, type="category")
    return dressed(figure, 420)


def heat_finding(rows: pd.DataFrame, across: str, up: str, outcome: str) -> str:
    """Return which of a sweep's settings did best and worst by a figure."""
    table, figure_of = _table(rows, across, up, outcome), OUTCOMES[outcome]
    values = table.to_numpy(dtype=float)
    if np.isnan(values).all():
        return f"No run has a figure for {figure_of.title}."
    places = [int(np.nanargmin(values)), int(np.nanargmax(values))]
    said = []
    for place in places if figure_of.low_is_good else reversed(places):
        row, column = divmod(place, values.shape[1])
        said.append(
            f"{_short(values[row, column], figure_of)} {figure_of.unit} at"
            f" {AXES[across].at(float(table.columns[column]))} and {AXES[up].at(float(table.index[row]))}"
        )
    missing = int(np.isnan(values).sum())
    gaps = f" {many(missing, 'point')} without a figure are left empty." if missing else ""
    return f"{capital(figure_of.title)}: best {said[0]}; worst {said[1]}.{gaps}"


def _table(rows: pd.DataFrame, across: str, up: str, outcome: str) -> pd.DataFrame:
    return rows.pivot_table(index=up, columns=across, values=outcome, dropna=False, aggfunc="mean")


def trade_off(rows: pd.DataFrame, by: Sequence[str] = ("protection",)) -> go.Figure:
    """Return bad calls sent against good calls refused, a point a setting (mean over the seeds).

    ``by`` names the columns that tell settings apart. Those on the Pareto front, which no other beats in
    both, are ringed and joined; a few are named by a marker of their own, many by hover alone.
    """
    points = _points(rows, by)
    named = len(by) == 1 and len(points) <= len(_MARKERS)
    figure = go.Figure()
    front = points.loc[points["front"]].sort_values("bad_calls_sent")
    figure.add_scatter(
        name="Pareto front", x=front["bad_calls_sent"], y=front["good_calls_refused"],
        mode="lines+markers", line={"color": NEUTRAL, "dash": "dash", "width": 1.5, "shape": "hv"},
        marker={"symbol": "circle-open", "size": 20, "color": NEUTRAL, "line": {"width": 2}},
        hoverinfo="skip",
    )  # fmt: skip
    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
    groups = points.groupby("label", sort=False) if named else [("a setting", points)]
    for number, (label, group) in enumerate(groups):
        figure.add_scatter(
            name=str(label), x=group["bad_calls_sent"], y=group["good_calls_refused"],
            mode="markers", text=group["label"],
            marker={"size": 10, "symbol": _MARKERS[number], "color": colours[number % len(colours)]},
            customdata=group["availability"],
            hovertemplate="%{text}<br>%{x:.0f} bad calls sent, %{y:.0f} good calls refused<br>"
                          "%{customdata:.0%} answered in time<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="bad calls sent", rangemode="tozero")
    figure.update_yaxes(title="good calls refused", rangemode="tozero")
    return dressed(figure, 420)


def trade_off_finding(rows: pd.DataFrame, by: Sequence[str] = ("protection",)) -> str:
    """Return how many settings are on the Pareto front, and its two ends."""
    points = _points(rows, by)
    front = points.loc[points["front"]].sort_values("bad_calls_sent")
    first, last = front.iloc[0], front.iloc[-1]
    if len(front) == 1:
        return (
            f"Of {len(points)} settings one is best in both: {first['label']}, with"
            f" {first['bad_calls_sent']:.0f} bad calls sent and {first['good_calls_refused']:.0f} good"
            " calls refused."
        )
    ends = [
        f"{end['label']} ({end['bad_calls_sent']:.0f} bad calls sent,"
        f" {end['good_calls_refused']:.0f} good calls refused)"
        for end in (first, last)
    ]
    return (
        f"{len(front)} of {len(points)} settings cannot be bettered in one without loss in the other:"
        f" from {ends[0]} to {ends[1]}."
    )


def pareto(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell of each row of costs, (n, 2), whether no other is as low in both and lower in one; (n,)."""
    lower = np.all(costs[None, :, :] <= costs[:, None, :], axis=2)
    better = lower & np.any(costs[None, :, :] < costs[:, None, :], axis=2)
    front: npt.NDArray[np.bool_] = np.logical_not(np.any(better, axis=1))
    return front


def _points(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    figures = ["bad_calls_sent", "good_calls_refused", "availability"]
    points = rows.groupby(list(by), sort=False)[figures].mean().reset_index()
    points["front"] = pareto(points[figures[:2]].to_numpy(dtype=np.float64))
    points["label"] = [
        ", ".join(AXES[name].at(row[name]) if name in AXES else str(row[name]) for name in by)
        for _, row in points.iterrows()
    ]
    return points


def _short(value: float, figure_of: Outcome) -> str:
    if np.isnan(value):
        return "–"
    if figure_of.unit == "%":
        return f"{value * 100:.1f}"
    return f"{value:.1f}" if figure_of.unit == "s" else f"{value:.0f}"
