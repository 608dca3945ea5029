"""A sweep: two settings against an outcome, averaged over whatever else was swept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import plotly.graph_objects as go

from plantid_core.lab.charts import style

if TYPE_CHECKING:
    import pandas as pd

_HEIGHT_PX: Final = 430
_MOST_LABELLED: Final = 120
_DECADES: Final = 30


def table(grid: pd.DataFrame, x: str, y: str, outcome: str) -> pd.DataFrame:
    """Return the mean outcome, a row a value of ``y`` and a column a value of ``x``, rising."""
    return grid.pivot_table(index=y, columns=x, values=outcome, aggfunc="mean").sort_index()


def figure(grid: pd.DataFrame, x: str, y: str, outcome: str) -> go.Figure:
    """Return the heat map of a sweep's rows; colours are by the logarithm where values span much."""
    cells = table(grid, x, y, outcome)
    values = cells.to_numpy(dtype=np.float64)
    known = values[np.isfinite(values)]
    wide = bool(len(known) and known.min() > 0 and known.max() > _DECADES * known.min())
    texts = [[style.figure_of(value) for value in row] for row in values]
    made = go.Figure(
        go.Heatmap(
            x=[f"{value:g}" for value in cells.columns],
            y=[f"{value:g}" for value in cells.index],
            z=np.log10(values) if wide else values,
            text=texts,
            texttemplate="%{text}" if values.size <= _MOST_LABELLED else None,
            colorscale="Cividis",
            colorbar={"title": _words(outcome) + (" (log)" if wide else ""), "thickness": 12},
            hovertemplate=f"{_words(x)} %{{x}}, {_words(y)} %{{y}}: %{{text}}<extra></extra>",
        )
    )
    style.dress(made, _HEIGHT_PX)
    made.update_xaxes(title=_words(x), type="category")
    made.update_yaxes(title=_words(y), type="category")
    return made


def _words(column: str) -> str:
    return (
        f"{column[:-2]}, s".replace("_", " ") if column.endswith("_s") else column.replace("_", " ")
    )


def finding(grid: pd.DataFrame, x: str, y: str, outcome: str) -> str:
    """Return where the outcome is least and where most, in a sentence."""
    cells = grid.dropna(subset=[outcome]).groupby([x, y])[outcome].mean().reset_index()
    if cells.empty:
        return "Nothing was swept."
    ordered = cells.sort_values(outcome, kind="stable")
    spots = []
    for word, place in (("least", 0), ("most", -1)):
        cell = ordered.iloc[place]
        at = f"{_words(x)} {cell[x]:g} and {_words(y)} {cell[y]:g}"
        spots.append(f"{word}, {style.figure_of(float(cell[outcome]))}, at {at}")
    return f"{_words(outcome).capitalize()} is {spots[0]}; {spots[1]}."
