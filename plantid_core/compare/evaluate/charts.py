"""The evaluation's charts: accuracies with their intervals, reliability, risk against coverage.

Each has its sentence from the data, which is the chart's alternative text as well. Backgrounds are
transparent, so that a chart takes the page's light or dark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import plotly.graph_objects as go

from plantid_core.compare.evaluate.sentence import titled
from plantid_core.palette import COLOURS, NEUTRAL, begun, percent, so_many

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from plantid_core.compare.evaluate.curves import Bin, Risk
    from plantid_core.compare.evaluate.measure import Measured

_HEIGHT_PX: Final = 400
_RULE: Final = "rgba(128,128,128,.55)"
_GRID: Final = "rgba(128,128,128,.18)"
_SHAPES: Final = {
    "plant_id": "circle", "plantnet": "square", "offline": "diamond", "herbarium": "triangle-up",
    "consensus": "star",
}  # fmt: skip
_DASHES: Final = {
    "plant_id": "solid", "plantnet": "dash", "offline": "dot", "herbarium": "dashdot",
    "consensus": "longdash",
}  # fmt: skip
_ACCURACIES: Final = {
    "top1": "species, first name",
    "top3": "species, first three",
    "top5": "species, first five",
    "genus_top1": "genus, first name",
    "family_top1": "family, first name",
}
_LARGEST_PX, _SMALLEST_PX = 22.0, 7.0


def accuracies(measured: Measured, sandbox: Collection[str] = ()) -> go.Figure:
    """Return each accuracy as a point on its 95 % interval, a row a measure."""
    made = go.Figure()
    for name, figures in measured.providers.items():
        found = [(label, figures[metric]) for metric, label in _ACCURACIES.items()]
        told = [(label, one, one.value) for label, one in found if one.value is not None]
        values = [value for _, _, value in told]
        made.add_trace(
            go.Scatter(
                x=values,
                y=[label for label, _, _ in told],
                error_x={
                    "array": [(one.high or value) - value for _, one, value in told],
                    "arrayminus": [
                        value - (value if one.low is None else one.low) for _, one, value in told
                    ],
                },
                mode="markers",
                orientation="h",
                name=titled(name, sandbox),
                marker={"size": 10, "color": _colour(name), "symbol": _SHAPES.get(name, "x")},
                hovertemplate="%{x:.1%}",
            )
        )
    _dress(made, _HEIGHT_PX + 24 * len(measured.providers))
    made.update_layout(scattermode="group", scattergap=0.35)
    made.update_xaxes(title="share right, with 95 % interval", range=[0, 1.03], tickformat=".0%")
    made.update_yaxes(categoryorder="array", categoryarray=list(_ACCURACIES.values())[::-1])
    return made


def accuracies_finding(measured: Measured, sandbox: Collection[str] = ()) -> str:
    """Return how much more often the genus is right than the species, in a sentence."""
    told = [
        f"{titled(name, sandbox)} {_told(figures['top1'].value)} and {_told(figures['genus_top1'].value)}"
        for name, figures in measured.providers.items()
        if figures["genus_top1"].value is not None
    ]
    if not told:
        return "No photo of a known plant was answered."
    return f"Right first name at species and at genus: {'; '.join(told)}."


def reliability(bins: Mapping[str, Sequence[Bin]], sandbox: Collection[str] = ()) -> go.Figure:
    """Return the share right against the mean score, a point a bin, larger with more photos."""
    made = go.Figure()
    made.add_trace(
        go.Scatter(
            x=[0, 1], y=[0, 1], mode="lines", name="as often right as it says",
            line={"color": _RULE, "dash": "dot"}, hoverinfo="skip",
        )
    )  # fmt: skip
    most = max((one.n for own in bins.values() for one in own), default=1)
    for name, own in bins.items():
        made.add_trace(
            go.Scatter(
                x=[one.score for one in own],
                y=[one.right for one in own],
                text=[so_many(one.n) for one in own],
                mode="lines+markers",
                name=titled(name, sandbox),
                line={"color": _colour(name), "dash": _DASHES.get(name, "solid"), "width": 2},
                marker={
                    "color": _colour(name),
                    "symbol": _SHAPES.get(name, "x"),
                    "size": [max(_SMALLEST_PX, _LARGEST_PX * (one.n / most) ** 0.5) for one in own],
                },
                hovertemplate="score %{x:.0%}: right %{y:.0%} of %{text}",
            )
        )
    _dress(made, _HEIGHT_PX)
    made.update_xaxes(title="score of the first name", range=[-0.03, 1.03], tickformat=".0%")
    made.update_yaxes(title="share right", range=[-0.03, 1.03], tickformat=".0%")
    return made


def reliability_finding(bins: Mapping[str, Sequence[Bin]], sandbox: Collection[str] = ()) -> str:
    """Return whether each provider's scores are too high or too low, in a sentence."""
    told = []
    for name, own in bins.items():
        photos = sum(one.n for one in own)
        if not photos:
            continue
        score = sum(one.n * one.score for one in own) / photos
        right = sum(one.n * one.right for one in own) / photos
        told.append(
            f"{titled(name, sandbox)} gives its first names {percent(score)} on average and is right"
            f" on {percent(right)}"
        )
    return f"{'; '.join(told)}." if told else "No species was named on a photo labelled with one."


def risk_coverage(curves: Mapping[str, Sequence[Risk]], sandbox: Collection[str] = ()) -> go.Figure:
    """Return the share wrong among those named with the highest scores, against how many are named."""
    made = go.Figure()
    for name, own in curves.items():
        made.add_trace(
            go.Scatter(
                x=[one.coverage for one in own],
                y=[one.risk for one in own],
                text=[percent(one.threshold) for one in own],
                mode="lines+markers" if len(own) <= 60 else "lines",  # noqa: PLR2004 - more is a smear
                name=titled(name, sandbox),
                line={
                    "color": _colour(name), "dash": _DASHES.get(name, "solid"), "width": 2,
                    "shape": "hv",
                },
                marker={"color": _colour(name), "symbol": _SHAPES.get(name, "x"), "size": 6},
                hovertemplate="believed from a score of %{text}: names %{x:.0%}, wrong %{y:.0%}",
            )
        )  # fmt: skip
    _dress(made, _HEIGHT_PX)
    made.update_xaxes(title="share of plants named", range=[0, 1.03], tickformat=".0%")
    made.update_yaxes(title="share of those wrong", range=[-0.03, 1.03], tickformat=".0%")
    return made


def risk_coverage_finding(
    curves: Mapping[str, Sequence[Risk]], sandbox: Collection[str] = ()
) -> str:
    """Return how much safer each provider's surer half is, in a sentence."""
    told = []
    for name, own in curves.items():
        if not own:
            continue
        half = next((one for one in own if one.coverage >= own[-1].coverage / 2), own[-1])
        told.append(
            f"of what {titled(name, sandbox)} names, {percent(own[-1].risk)} is wrong, and"
            f" {percent(half.risk)} of its surer half"
        )
    if not told:
        return "No species was named on a photo labelled with one."
    return f"{begun('; '.join(told))}."


def _told(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _colour(name: str) -> str:
    return COLOURS.get(name, NEUTRAL)


def _dress(figure: go.Figure, height: int) -> None:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"namelength": -1},
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"},
    )
    figure.update_xaxes(gridcolor=_GRID, zeroline=False, automargin=True)
    figure.update_yaxes(gridcolor=_GRID, zeroline=False, automargin=True)
