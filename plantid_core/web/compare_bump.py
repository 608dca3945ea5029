"""Who ranks which plant where: a line a taxon from provider to provider, the first at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go

from plantid_core.palette import COLOURS, NEUTRAL, TITLES, percent

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from plantid_core.compare.align import Row, Table

_ROW_PX, _MARGIN_PX = 62, 60
_POINT_PX: Final = 26
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash")
_DEEPEST: Final = 5
_GRID: Final = "rgba(128,128,128,.18)"


def figure(found: Table, sandbox: Collection[str], ink: str) -> go.Figure:
    """Return the first five ranks of every provider that names anything; ``ink`` is the letters' colour."""
    told = _told(found)
    places = {name: at for at, name in enumerate(told)}
    made = go.Figure()
    for number, row in enumerate(found.rows):
        made.add_trace(_line(row, places, number, ink))
    deepest = max(
        (cell.rank for row in found.rows for cell in row.cells.values() if cell.rank <= _DEEPEST),
        default=1,
    )
    made.update_layout(
        height=_MARGIN_PX + _ROW_PX * deepest,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        hoverlabel={"namelength": -1},
    )
    titles = [
        f"{TITLES.get(name, name)}{'<br>(sandbox)' if name in sandbox else ''}" for name in told
    ]
    made.update_xaxes(
        tickvals=list(range(len(told))),
        ticktext=titles,
        range=[-0.35, max(0.35, len(told) - 0.2)],
        showgrid=False,
        zeroline=False,
        automargin=True,
        side="top",
        tickfont={"color": ink},
    )
    made.update_yaxes(
        tickfont={"color": ink},
        tickvals=list(range(1, deepest + 1)),
        range=[deepest + 0.5, 0.5],
        gridcolor=_GRID,
        zeroline=False,
        automargin=True,
    )
    return made


def _line(row: Row, places: dict[str, int], number: int, ink: str) -> go.Scatter:
    cells = [
        (places[name], name, row.cells[name])
        for name in places
        if name in row.cells and row.cells[name].rank <= _DEEPEST
    ]
    first = number == 0
    return go.Scatter(
        x=[at for at, _, _ in cells],
        y=[cell.rank for _, _, cell in cells],
        mode="lines+markers+text",
        name=row.title,
        line={
            "color": COLOURS["consensus"] if first else NEUTRAL,
            "width": 5 if first else 2,
            "dash": _DASHES[number % len(_DASHES)],
        },
        marker={"size": _POINT_PX, "color": [COLOURS.get(name, NEUTRAL) for _, name, _ in cells]},
        text=[_short(row.title)] * len(cells),
        textposition="bottom center",
        textfont={"size": 12, "color": ink},
        cliponaxis=False,
        customdata=[percent(cell.score) for _, _, cell in cells],
        hovertemplate="rank %{y}, %{customdata}",
    )


def finding(found: Table) -> str:
    """Return where each provider ranks the plant that they rank best together, in a sentence."""
    if not found.rows:
        return "No service names a plant."
    first = found.rows[0]
    told = [f"{TITLES.get(name, name)} {cell.rank}" for name, cell in first.cells.items()]
    others = [TITLES.get(name, name) for name in _told(found) if name not in first.cells]
    silent = f"; {' and '.join(others)} not at all" if others else ""
    return f"{first.title} is ranked: {', '.join(told)}{silent}."


def _told(found: Table) -> Sequence[str]:
    return [name for name in found.providers if any(name in row.cells for row in found.rows)]


def _short(name: str) -> str:
    """Return a name as floras shorten it: the genus by its letter."""
    words = name.split()
    return name if len(words) < 2 else f"{words[0][0]}. {' '.join(words[1:])}"  # noqa: PLR2004 - a genus alone
