"""Where the observations that are shown were made.

It is drawn without a background: the tiles of a map service would tell it where the plants are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go
import streamlit as st

from plantid_core.web import cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.plants import Place
    from plantid_core.web.history_rows import Line

    Placed = tuple[Line, Place]

_HEIGHT_PX: Final = 340
_GRID: Final = "rgba(128,128,128,.3)"
_KINDS: Final = {
    True: ("verified", "#009E73", "circle"),
    False: ("not verified", "#E69F00", "diamond-open"),
}
_LEAST_SPAN: Final = 0.02


def show(lines: Sequence[Line]) -> None:
    """Draw the map, unless no place is known."""
    placed = [
        (line, place) for line in lines if (place := line.observed.circumstances.place) is not None
    ]
    if not placed:
        return
    said = finding(placed, len(lines))
    with st.expander("Map", icon=":material/map:", key="map", on_change="rerun") as fold:
        if fold.open:
            ink = cards.INK[st.context.theme.type == "dark"]
            st.plotly_chart(
                figure(placed, ink),
                alt=said,
                key="history-map",
                config={"displayModeBar": False, "scrollZoom": False},
            )
            st.caption(f"{said} North is up. No map service is asked: it would learn the places.")


def finding(placed: Sequence[Placed], of: int) -> str:
    """Return how many have a place, and how far they lie apart, in a sentence."""
    north = [place.latitude for _, place in placed]
    east = [place.longitude for _, place in placed]
    if len(placed) == 1:
        spread = f"at {_degrees(north[0], 'NS')} {_degrees(east[0], 'EW')}"
    else:
        spread = (
            f"between {_degrees(min(north), 'NS')} and {_degrees(max(north), 'NS')},"
            f" {_degrees(min(east), 'EW')} and {_degrees(max(east), 'EW')}"
        )
    have = "has" if len(placed) == 1 else "have"
    return f"{len(placed):,} of {of:,} shown {have} a place, {spread}."


def figure(placed: Sequence[Placed], ink: str) -> go.Figure:
    """Return the places as points, as far apart as they are at their latitude."""
    made = go.Figure()
    for verified, (word, colour, shape) in _KINDS.items():
        some = [(line, place) for line, place in placed if _verified(line) == verified]
        if not some:
            continue
        made.add_trace(
            go.Scatter(
                x=[place.longitude for _, place in some],
                y=[place.latitude for _, place in some],
                mode="markers",
                name=word,
                marker={"color": colour, "symbol": shape, "size": 13, "line": {"width": 2}},
                text=[_written(line) for line, _ in some],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    latitudes = [place.latitude for _, place in placed]
    longitudes = [place.longitude for _, place in placed]
    middle = sum(latitudes) / len(latitudes)
    made.update_layout(
        height=_HEIGHT_PX,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.12, "x": 0, "font": {"color": ink}},
        showlegend=True,
        dragmode=False,
    )
    axis = {
        "showgrid": True,
        "gridcolor": _GRID,
        "zeroline": False,
        "tickfont": {"color": ink},
        "ticksuffix": "°",
    }
    made.update_xaxes(range=_span(longitudes), constrain="domain", **axis)
    made.update_yaxes(
        range=_span(latitudes),
        scaleanchor="x",
        scaleratio=1 / max(0.05, math.cos(math.radians(middle))),
        **axis,
    )
    return made


def _verified(line: Line) -> bool:
    decided = line.observed.determination
    return decided is not None and decided.taxon is not None


def _written(line: Line) -> str:
    """Return a point's text; Plotly reads some HTML in it."""
    safe = line.spoken.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<i>{safe}</i>" if line.named else safe


def _span(values: Sequence[float]) -> list[float]:
    least, most = min(values), max(values)
    margin = max(_LEAST_SPAN, (most - least) * 0.15)
    return [least - margin, most + margin]


def _degrees(value: float, letters: str) -> str:
    return f"{abs(value):.2f}° {letters[value < 0]}"
