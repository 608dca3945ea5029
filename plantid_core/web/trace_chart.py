"""What happened, as a waterfall."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from plantid_core.palette import COLOURS, NEUTRAL, TITLES, duration

if TYPE_CHECKING:
    from plantid_core.plants import Outcome, Stage

_ROW_PX, _MARGIN_PX = 34, 60
_LEAST_SHARE = 0.004


def waterfall(outcome: Outcome) -> go.Figure:
    """Return a bar a stage: when it began, and how long it took, in ms."""
    stages = list(reversed(outcome.trace))
    total = max((stage.start_ms + stage.ms for stage in stages), default=1.0)
    figure = go.Figure(
        go.Bar(
            x=[max(stage.ms, total * _LEAST_SHARE) for stage in stages],
            y=[
                f"{TITLES.get(stage.stage, stage.stage)}{' ' * index}"
                for index, stage in enumerate(stages)
            ],
            base=[stage.start_ms for stage in stages],
            orientation="h",
            marker_color=[COLOURS.get(stage.stage, NEUTRAL) for stage in stages],
            text=[_label(stage) for stage in stages],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="text",
        )
    )
    figure.update_layout(
        height=_MARGIN_PX + _ROW_PX * len(stages),
        margin={"l": 0, "r": 160, "t": 8, "b": 32},
        xaxis={"title": "ms after the request began", "range": [0, total * 1.05]},
        showlegend=False,
    )
    return figure


def _label(stage: Stage) -> str:
    # A note may quote a service, and the chart reads its texts as HTML.
    return escape(" · ".join(filter(None, (duration(stage.ms), stage.note))))


def finding(outcome: Outcome) -> str:
    """Return the chart's finding in a sentence, for those who do not see it."""
    if not outcome.trace:
        return "Nothing was recorded."
    slowest = max(outcome.trace, key=lambda stage: stage.ms)
    total = max(stage.start_ms + stage.ms for stage in outcome.trace)
    name = TITLES.get(slowest.stage, slowest.stage)
    return f"The request took {duration(total)}; its longest stage was {name} with {duration(slowest.ms)}."
