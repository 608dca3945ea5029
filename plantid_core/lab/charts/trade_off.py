"""Cost against latency, staleness as size: which strategies are beaten in nothing by another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import plotly.graph_objects as go

from plantid_core.lab.charts import style
from plantid_core.palette import percent, said, strategy_title

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT_PX: Final = 430
_COST: Final = {
    "calls_per_expiry": ("calls upstream per expiry", "calls an expiry"),
    "upstream_mean_per_s": ("calls upstream per second", "calls a second"),
}
_WAIT: Final = {
    "wait_p50_s": "wait of the median request",
    "wait_p99_s": "wait of 99 % of requests",
    "wait_p999_s": "wait of 99.9 % of requests",
    "wait_longest_s": "longest wait",
}
_SMALLEST_PX: Final = 13.0
_GROWTH_PX: Final = 22.0
# Two figures nearer than this are the same: simulated noise makes no front.
_SAME: Final = 0.02


def front(figures: pd.DataFrame, columns: tuple[str, ...]) -> list[bool]:
    """Return for each row whether no other is better in one column and as good in all; less is better."""
    values = figures[list(columns)].fillna(np.inf).to_numpy(dtype=np.float64)
    values = np.where(values < style.SHORTEST_S, 0.0, values)
    margin = values * _SAME
    return [
        not any(
            bool(np.all(other <= row + slack) and np.any(other < row - slack)) for other in values
        )
        for row, slack in zip(values, margin, strict=True)
    ]


def figure(
    figures: pd.DataFrame,
    live: pd.DataFrame | None = None,
    *,
    cost: str = "calls_per_expiry",
    wait: str = "wait_p999_s",
) -> go.Figure:
    """Return a point a strategy from rows as `Record.summary` makes them.

    The less of both the better: those on the Pareto front are joined, and drawn solid.
    """
    made = go.Figure()
    best = front(figures, (cost, wait)) if len(figures) else []
    on_front = figures.loc[best].sort_values(cost) if len(figures) else figures
    made.add_trace(
        go.Scatter(
            x=on_front[cost].to_numpy(),
            y=on_front[wait].clip(lower=style.SHORTEST_S).to_numpy(),
            mode="lines",
            line={"color": style.RULE, "dash": "dash", "width": 2},
            name="Pareto front",
            hoverinfo="skip",
        )
    )
    for place, (_, row) in enumerate(figures.iterrows()):
        made.add_trace(_point(row, (cost, wait), best=best[place], live=False))
    if live is not None:
        for _, row in live.iterrows():
            made.add_trace(_point(row, (cost, wait), best=True, live=True))
    style.dress(made, _HEIGHT_PX)
    made.update_xaxes(title=_COST.get(cost, (cost, ""))[0], **style.COUNTS)
    made.update_yaxes(title=_WAIT.get(wait, wait), **style.SECONDS)
    return made


def _point(row: pd.Series[Any], axes: tuple[str, str], *, best: bool, live: bool) -> go.Scatter:
    name, stale = str(row["strategy"]), float(row["stale_share"])
    tint = style.colour(name)
    symbol = style.LIVE if live else style.shape(name).removesuffix("-open")
    label = f"{percent(stale)} stale" if stale else ""
    return go.Scatter(
        x=[row[axes[0]]],
        y=[max(style.SHORTEST_S, float(row[axes[1]]))],
        mode="markers",
        name=strategy_title(name) + (", live" if live else "") + (f", {label}" if label else ""),
        marker={
            "symbol": symbol if live or best else f"{symbol}-open",
            "size": _SMALLEST_PX if live else _SMALLEST_PX + _GROWTH_PX * stale**0.5,
            "color": tint,
            "line": {"color": tint, "width": 2},
        },
        hovertemplate="%{x:.3g} calls, %{y:.3g} s",
    )


def finding(
    figures: pd.DataFrame, *, cost: str = "calls_per_expiry", wait: str = "wait_p999_s"
) -> str:
    """Return who is on the Pareto front, and who costs the most, in a sentence or two."""
    if figures.empty:
        return "No strategy is chosen, so nothing was compared."
    best = front(figures, (cost, wait))
    names = [str(name) for name in figures.loc[best, "strategy"]]
    verb = "is" if len(names) == 1 else "are"
    front_said = style.listed(names)
    if names[0] == "none":
        front_said = front_said.replace(said("none"), said("none", first=True), 1)
    sentence = f"{front_said} {verb} beaten in neither calls nor waiting."
    others = figures.loc[[not is_best for is_best in best]]
    if others.empty:
        return sentence
    worst = others.iloc[int(others[cost].to_numpy().argmax())]
    return (
        f"{sentence} {said(str(worst['strategy']), first=True)} takes"
        f" {style.figure_of(float(worst[cost]))} {_COST.get(cost, ('', cost))[1]},"
        f" and {style.span(float(worst[wait]))}."
    )
