"""``plantid bench``: measure this machine, side by side with the rivals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
import typer

if TYPE_CHECKING:
    from plantid_core.bench import Report


_ROUNDED_FROM = 10
_WHICH = (
    "Which: upload, attack, cache-hit, stampede, holder-death, redis-down, early, breaker, simulate,"
    " live-vs-sim, herbarium, batch, load, or all."
)


def bench(
    name: Annotated[str, typer.Argument(help=_WHICH)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Measure; let nothing else run meanwhile."""
    from plantid_core.bench import NAMES, run

    if name not in {*NAMES, "all"}:
        raise typer.BadParameter(f"there is no benchmark {name!r}; use {', '.join(NAMES)} or all")
    reports = [
        run(one, lambda what: typer.echo(f"  {what}", err=True))
        for one in (NAMES if name == "all" else (name,))
    ]
    if as_json:
        found = [report.to_dict() for report in reports]
        typer.echo(orjson.dumps(found if name == "all" else found[0]))
        return
    for report in reports:
        _show(report)


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("case", "contestant", "metric", "median", "min", "max", "n", title=report.bench)
    for row in report.rows:
        figures = [f"{_figure(value)} {row.unit}" for value in (row.median, row.min, row.max)]
        table.add_row(row.case, row.contestant, row.metric, *figures, str(row.n))
    bars = Table("figure", "value", "bar", "", title="Bars")
    for ratio in report.ratios:
        mark = "holds" if ratio.holds else "MISSED"
        bars.add_row(ratio.name, f"{_figure(ratio.value)} {ratio.unit}", f"≤ {ratio.bar:.3g}", mark)
    console = Console()
    console.print(table, bars)


def _figure(value: float) -> str:
    return f"{value:,.1f}" if abs(value) >= _ROUNDED_FROM else f"{value:.3f}"
