"""What all charts of the lab share: a strategy's colour, dashes and shape, and how figures are written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from plantid_core.palette import NEUTRAL, STRATEGY_COLOURS, duration, said
from plantid_core.palette import listed as in_a_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

LIVE: Final = "cross"
RULE: Final = "rgba(128,128,128,.55)"
GRID: Final = "rgba(128,128,128,.18)"
# A zero has no place on a logarithmic axis: what is shorter is drawn here.
SHORTEST_S: Final = 1e-4

# Ticks of a logarithmic axis, as a person reads them.
SECONDS: Final = {
    "type": "log",
    "tickvals": [10.0**power for power in range(-4, 4)],
    "ticktext": ["≤ 0.1 ms", "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s", "1,000 s"],
}
COUNTS: Final = {
    "type": "log",
    "tickvals": [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)],
    "tickformat": ",~g",
    "exponentformat": "none",
}

_NAMES = tuple(STRATEGY_COLOURS)
_DASHES = ("solid", "dash", "dot", "dashdot")
_SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "pentagon", "hexagon",
           "square-open", "diamond-open", "triangle-up-open", "pentagon-open")  # fmt: skip


def colour(strategy: str) -> str:
    """Return the strategy's colour, the same on every chart."""
    return STRATEGY_COLOURS.get(strategy, NEUTRAL)


def dashes(strategy: str) -> str:
    """Return how the strategy's line is drawn: the write-up's contestants are never solid."""
    if not strategy.startswith("seed-"):
        return "solid" if strategy in {"lease", "none"} else _DASHES[_place(strategy) % 3 + 1]
    return "dot"


def shape(strategy: str) -> str:
    """Return the shape of the strategy's simulated points; live ones are crosses."""
    return _SHAPES[_place(strategy) % len(_SHAPES)]


def _place(strategy: str) -> int:
    return _NAMES.index(strategy) if strategy in _NAMES else 0


def span(seconds: float) -> str:
    """Return a duration as a person reads it."""
    return "no figure" if math.isnan(seconds) else duration(seconds * 1e3)


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def figure_of(value: float) -> str:
    """Return a figure with the digits that a person reads."""
    if math.isnan(value):
        return "no figure"
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"  # noqa: PLR2004 - two digits are enough below


def listed(names: Sequence[str]) -> str:
    """Return strategies as a sentence lists them."""
    return in_a_list([said(name) for name in names])


def dress(figure: go.Figure, height: int, legend_at: float = 1.02) -> go.Figure:
    """Give a figure the layout of all: no background of its own, one legend above."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"namelength": -1},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": legend_at, "yanchor": "bottom"},
    )
    figure.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True)
    return figure
