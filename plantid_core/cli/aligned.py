"""Several answers as one table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from plantid_core.cli.table import verdict
from plantid_core.compare.agreement import in_words
from plantid_core.palette import COLOURS, TITLES, percent

if TYPE_CHECKING:
    from plantid_core.compare.agreement import Agreement
    from plantid_core.compare.align import Cell, Table
    from plantid_core.plants import Answer, Outcome

_SILENT = {"no_match": "no match", "not_a_plant": "no plant seen"}


def show(outcome: Outcome, table: Table, agreed: Agreement) -> None:
    """Print the joint verdict, how far the providers agree, and a row a taxon."""
    console = Console()
    verdict(console, outcome)
    if table.rows:
        console.print(f"[dim]{escape(in_words(agreed))}[/dim]")
        console.print(_grid(outcome, table))
    for answer in outcome.answers:
        if not answer.suggestions:
            console.print(f"[dim]{escape(_why_silent(answer))}[/dim]")
    if outcome.degraded:
        console.print(f"[yellow]Degraded: {', '.join(outcome.degraded)}[/yellow]")


def _grid(outcome: Outcome, table: Table) -> Grid:
    grid = Grid()
    grid.add_column("Taxon")
    for answer in outcome.answers:
        mark = "\nSANDBOX" if answer.sandbox else ""
        title = f"{_title(answer)}{mark}"
        grid.add_column(
            escape(title), justify="right", header_style=COLOURS.get(answer.provider, "bold")
        )
    for row in table.rows:
        shape = "italic" if row.taxon.how != "unparsed" else "default"
        cells = (_cell(row.cells.get(name), row.title) for name in table.providers)
        grid.add_row(f"[{shape}]{escape(row.title)}[/{shape}]", *cells)
    return grid


def _cell(cell: Cell | None, title: str) -> str:
    if cell is None:
        return "–"
    figures = f"{cell.rank}. {percent(cell.score)}"
    return figures if cell.given == title else f"{figures}\n[dim]{escape(cell.given)}[/dim]"


def _why_silent(answer: Answer) -> str:
    said = answer.error["message"] if answer.error else _SILENT.get(answer.status, answer.status)
    mark = " · SANDBOX" if answer.sandbox else ""
    return f"{_title(answer)}{mark}: {said}"


def _title(answer: Answer) -> str:
    return TITLES.get(answer.provider, answer.provider)
