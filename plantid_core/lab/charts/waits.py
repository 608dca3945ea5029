"""How long requests waited: the share answered within each time, a line a strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from plantid_core.lab.charts import style
from plantid_core.lab.record import quantiles
from plantid_core.palette import said, strategy_title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Floats

_HEIGHT_PX: Final = 430
_MOST_STEPS: Final = 400


def distribution(record: Record) -> tuple[Floats, Floats]:
    """Return waits in seconds, rising, and the share of all requests answered within each.

    Waits below what the axis shows are set to its end. At most some hundred steps are kept.
    """
    waits = record.requests["wait_s"].clip(lower=style.SHORTEST_S).to_numpy()
    order = np.argsort(waits, kind="stable")
    share = record.requests["weight"].to_numpy()[order].cumsum()
    share = share / share[-1] if len(share) else share
    waits = waits[order]
    last = np.append(waits[1:] > waits[:-1], True) if len(waits) else np.zeros(0, dtype=bool)
    waits, share = waits[last], share[last]
    if len(waits) > _MOST_STEPS:
        kept = np.unique(np.linspace(0, len(waits) - 1, _MOST_STEPS).astype(np.int64))
        waits, share = waits[kept], share[kept]
    return waits, share


def figure(records: Sequence[Record], live: Sequence[Record] = ()) -> go.Figure:
    """Return the empirical distribution functions; live ones have crosses on dotted lines."""
    made = go.Figure()
    lowest, longest = 1.0, style.SHORTEST_S * 10
    for record in (*records, *live):
        waits, share = distribution(record)
        if not len(waits):
            continue
        lowest, longest = min(lowest, share[0]), max(longest, waits[-1])
        made.add_trace(_line(record, waits, share))
    for trace in made.data:  # each line runs on to the end: all its requests have been answered
        trace.x, trace.y = np.append(trace.x, longest * 1.5), np.append(trace.y, 1.0)
    style.dress(made, _HEIGHT_PX)
    made.update_xaxes(title="answered within", **style.SECONDS)
    low = max(0.0, lowest - (1 - lowest) * 0.15 - 1e-6)
    made.update_yaxes(
        title="share of requests", tickformat=".5~%", range=[low, 1 + (1 - low) * 0.04]
    )
    return made


def _line(record: Record, waits: Floats, share: Floats) -> go.Scatter:
    real = record.source == "live"
    tint = style.colour(record.strategy)
    return go.Scatter(
        x=waits,
        y=share,
        mode="lines+markers" if real else "lines",
        line={
            "shape": "hv",
            "color": tint,
            "dash": "dot" if real else style.dashes(record.strategy),
            "width": 1.5 if real else 2.5,
        },
        marker={"symbol": style.LIVE, "size": 7, "color": tint, "maxdisplayed": 12},
        name=strategy_title(record.strategy) + (", live" if real else ""),
        hovertemplate="%{y:.3%} within %{x:.3g} s",
    )


def finding(records: Sequence[Record], at: float = 0.999) -> str:
    """Return which strategy's slowest requests waited longest, and whose the least, in a sentence."""
    waits = {
        record.strategy: quantiles(record.requests, (at,))[0]
        for record in records
        if len(record.requests)
    }
    if not waits:
        return "No request was made."
    worst, best = max(waits, key=waits.__getitem__), min(waits, key=waits.__getitem__)
    share = f"{at * 100:g} %"
    if style.span(waits[worst]) == style.span(waits[best]):
        whom = style.listed(list(waits))
        return f"{share} of requests were answered within {style.span(waits[best])}: {whom}."
    return (
        f"{share} of requests were answered within {style.span(waits[best])} by"
        f" {said(best)}, and within {style.span(waits[worst])} by {said(worst)}."
    )
