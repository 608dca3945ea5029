"""``plantid drill``: break things on purpose, and see that people are still answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.drill import LONG, NAMES

if TYPE_CHECKING:
    from plantid_core.drill import DrillReport, Entry
    from plantid_core.drill.report import Figure

FAILED = 5

_UNITS = {"_ms": "ms", "_s": "s", "_per_s": "/s", "_percent": "%", "_ratio": "x"}
_ROUNDED_FROM = 10
_WHICH = f"Which: {', '.join(NAMES)}, all of these, or {', '.join(LONG)}."


def drill(
    name: Annotated[str, typer.Argument(help=_WHICH, metavar="NAME|all")],
    *,
    minutes: Annotated[
        float | None, typer.Option(help="How long soak runs (20).", min=0.1, max=10_000)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Run failure drills on a private store and sandbox; let nothing else run meanwhile."""
    from plantid_core.drill import run
    from plantid_core.drill.rig import Rig

    known = (*NAMES, *LONG, "all")
    if name not in known:
        raise typer.BadParameter(f"there is no drill {name!r}; use one of {', '.join(known)}")
    if minutes is not None and name not in LONG:
        raise typer.BadParameter(f"--minutes is for {', '.join(LONG)} alone")
    reports = []
    with Rig() as rig:
        for one in NAMES if name == "all" else (name,):
            typer.echo(one, err=True)
            reports.append(run(one, _tell, rig, minutes=minutes))
    if as_json:
        found = [report.to_dict() for report in reports]
        typer.echo(orjson.dumps(found if name == "all" else found[0]))
    else:
        _show(reports)
    if not all(report.passed for report in reports):
        raise typer.Exit(FAILED)


def _tell(entry: Entry) -> None:
    detail = f": {entry.detail}" if entry.detail else ""
    typer.echo(f"  {entry.t_s:6.2f} s  {entry.who} {entry.event}{detail}", err=True)


def _show(reports: list[DrillReport]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("drill", "passed", "figures", title="Drills", show_lines=True)
    for report in reports:
        mark = "[green]yes[/green]" if report.passed else "[red]NO[/red]"
        lines = [_figure(name, value) for name, value in report.figures.items()]
        why = [f"[red]{escape(reason)}[/red]" for reason in report.failures()]
        table.add_row(report.drill, mark, "\n".join([*lines, *why]))
    Console().print(table)


def _figure(name: str, value: Figure) -> str:
    unit = next((ending for ending in sorted(_UNITS, key=len)[::-1] if name.endswith(ending)), "")
    words = f"{value:,.{_places(value)}f}" if isinstance(value, float) else str(value)
    said = name.removesuffix(unit).replace("_", " ")
    return f"{said} {words} {_UNITS.get(unit, '')}".rstrip()


def _places(value: float) -> int:
    return 0 if abs(value) >= _ROUNDED_FROM else 2
