"""Stampede size against load: calls per expiry over λΔ, simulated lines, live points, theory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from plantid_core.lab.charts import style
from plantid_core.palette import strategy_title

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT_PX: Final = 430
_POINTS: Final = 80
# Those that end within this factor of the best are as good: the rest is chance.
_SAME: Final = 1.02


def figure(
    curve: pd.DataFrame,
    live: pd.DataFrame | None = None,
    *,
    load: float | None = None,
    beta: float | None = None,
) -> go.Figure:
    """Return calls per expiry over λΔ, both logarithmic.

    ``curve`` and ``live`` have columns ``strategy``, ``load``, ``calls_per_expiry``; ``load`` is
    marked. With ``beta`` the theory is drawn: 1 + λΔ where nobody holds back, and e^(1/β), the limit
    of early recomputation for great loads (Vattani, Chierichetti and Lowenstein, "Optimal
    Probabilistic Cache Stampede Prevention", PVLDB 8(8), 2015).
    """
    made = go.Figure()
    if beta is not None and len(curve):
        _theory(made, curve["load"].min(), curve["load"].max(), beta)
    for strategy, rows in curve.groupby("strategy", sort=False):
        name = str(strategy)
        rows = rows.dropna(subset=["calls_per_expiry"]).sort_values("load")  # noqa: PLW2901 - the same rows, in order
        made.add_trace(
            go.Scatter(
                x=rows["load"].to_numpy(),
                y=rows["calls_per_expiry"].to_numpy(),
                mode="lines+markers",
                name=strategy_title(name),
                line={"color": style.colour(name), "dash": style.dashes(name), "width": 2},
                marker={"symbol": style.shape(name), "size": 7, "color": style.colour(name)},
                hovertemplate="λΔ = %{x:.3g}: %{y:.3g} calls an expiry",
            )
        )
    if live is not None and len(live):
        _live(made, live)
    style.dress(made, _HEIGHT_PX)
    made.update_xaxes(type="log", title="λΔ: requests while the value is made once", dtick=1)
    made.update_yaxes(type="log", title="calls upstream per expiry", dtick=1)
    if load:
        made.add_vline(x=load, line={"color": style.RULE, "dash": "dash"})
        # Where a note stands on a logarithmic axis is told by the logarithm, unlike where a line does.
        made.add_annotation(
            text="chosen", x=math.log10(load), xref="x", xanchor="left", xshift=3,
            y=1, yref="paper", yanchor="top", showarrow=False,
        )  # fmt: skip
    return made


def _theory(made: go.Figure, low: float, high: float, beta: float) -> None:
    loads = np.geomspace(low, high, _POINTS)
    lines = {"theory: 1 + λΔ": 1 + loads}
    if beta > 0 and 1 / beta < math.log(1 + high) + 1:  # else far above all that is drawn
        lines[f"theory: e^(1/β) = {math.exp(1 / beta):.3g}"] = np.full(_POINTS, math.exp(1 / beta))
    for (name, values), dash in zip(lines.items(), ("dot", "longdashdot"), strict=False):
        made.add_trace(
            go.Scatter(
                x=loads,
                y=values,
                mode="lines",
                name=name,
                line={"color": style.RULE, "dash": dash, "width": 3},
                hoverinfo="skip",
            )
        )


def _live(made: go.Figure, live: pd.DataFrame) -> None:
    names = [str(name) for name in live["strategy"]]
    made.add_trace(
        go.Scatter(
            x=live["load"].to_numpy(),
            y=live["calls_per_expiry"].to_numpy(),
            mode="markers",
            name="live, on real processes",
            text=[strategy_title(name) for name in names],
            marker={
                "symbol": style.LIVE,
                "size": 13,
                "color": [style.colour(name) for name in names],
                "line": {"color": "rgba(128,128,128,.9)", "width": 1.5},
            },
            hovertemplate="%{text} at λΔ = %{x:.3g}: %{y:.3g} calls an expiry",
        )
    )


def finding(curve: pd.DataFrame, live: pd.DataFrame | None = None) -> str:
    """Return how the worst and the best strategy grow with the load, in a sentence."""
    known = curve.dropna(subset=["calls_per_expiry"])
    if known.empty:
        return "No expiry was simulated."
    ends = known.sort_values("load").groupby("strategy", sort=False)["calls_per_expiry"]
    first, last = ends.first(), ends.last()
    worst = str(last.idxmax())
    best = [str(name) for name in last.index[last <= last.min() * _SAME] if name != worst]
    loads = f"λΔ = {style.figure_of(known['load'].min())} to {style.figure_of(known['load'].max())}"
    sentence = f"From {loads}, {_grown([worst], first, last)}"
    if best:
        sentence += f"; {_grown(best, first, last)}"
    return f"{sentence}.{_live_said(live)}"


def _grown(names: list[str], first: pd.Series[float], last: pd.Series[float]) -> str:
    """Say how the first of those grows that end alike."""
    name, many = names[0], len(names) > 1
    low, high = style.figure_of(first[name]), style.figure_of(last[name])
    title = style.listed(names)
    if low == high:
        return f"{title} {'stay' if many else 'stays'} at {low} {'call' if low == '1' else 'calls'} an expiry"
    verb = "rise" if last[name] > first[name] else "fall"
    return f"{title} {verb}{'' if many else 's'} from {low} to {high} calls an expiry"


def _live_said(live: pd.DataFrame | None) -> str:
    if live is None or live.empty:
        return ""
    each = ", ".join(
        f"{row.strategy} {style.figure_of(float(str(row.calls_per_expiry)))}"
        for row in live.itertuples()
    )
    return f" Live, on real processes: {each}."
