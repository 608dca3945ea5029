"""An evaluation as one HTML file that needs nothing else: charts, tables and small pictures within.

Every text is escaped by the template, and the page's own policy lets it load nothing from anywhere.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from plantid_core.compare.evaluate import charts
from plantid_core.compare.evaluate.judgement import CONSENSUS
from plantid_core.compare.evaluate.sentence import p_value, titled
from plantid_core.compare.evaluate.wording import MEANINGS, TITLES, points, share, told
from plantid_core.palette import COLOURS, NEUTRAL, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import jinja2
    import plotly.graph_objects as go

    from plantid_core.compare.agreement import PairOver
    from plantid_core.compare.evaluate.confusion import Confusion
    from plantid_core.compare.evaluate.curves import Bin, Risk
    from plantid_core.compare.evaluate.measure import Measured

SHOWN: Final = 12

_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a report tells. ``refused`` has file and reason, ``pictures`` a small JPEG by file.

    ``examples`` names a file that shows a species, by the species as it is written in a confusion.
    """

    finding: str
    measured: Measured
    sandbox: Sequence[str]
    reliability: Mapping[str, Sequence[Bin]]
    risk_coverage: Mapping[str, Sequence[Risk]]
    confusions: Mapping[str, Sequence[Confusion]]
    notes: Sequence[str]
    refused: Sequence[tuple[str, str]]
    seed: int
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    agreement: Sequence[PairOver] = ()


def html(contents: Contents) -> str:
    """Return the page."""
    from plotly.offline import get_plotlyjs

    providers = list(contents.measured.providers)
    return _template().render(
        contents=contents,
        emulated=listed([titled(name) for name in contents.sandbox if name != CONSENSUS]),
        title={name: titled(name, contents.sandbox) for name in providers},
        colour={name: COLOURS.get(name, NEUTRAL) for name in providers},
        metrics=[(metric, TITLES[metric], MEANINGS[metric]) for metric in TITLES],
        told=told,
        points=points,
        p_value=p_value,
        share=share,
        picture={file: _data_uri(jpeg) for file, jpeg in contents.pictures.items()},
        most=SHOWN,
        charts=list(_charts(contents)),
        plotly=get_plotlyjs(),
    )


@cache
def _template() -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _charts(contents: Contents) -> Iterator[tuple[str, str, str]]:
    """Yield each chart's heading, its finding and its markup."""
    sandbox = contents.sandbox
    yield (
        "How often right",
        charts.accuracies_finding(contents.measured, sandbox),
        _markup(charts.accuracies(contents.measured, sandbox)),
    )
    yield (
        "What a score is worth",
        charts.reliability_finding(contents.reliability, sandbox),
        _markup(charts.reliability(contents.reliability, sandbox)),
    )
    yield (
        "Wrong names, when only sure ones are believed",
        charts.risk_coverage_finding(contents.risk_coverage, sandbox),
        _markup(charts.risk_coverage(contents.risk_coverage, sandbox)),
    )


def _markup(figure: go.Figure) -> str:
    # Names of ours only; plotly writes "<" in its JSON as \u003c.
    config = {"displaylogo": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config=config))


def _data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
