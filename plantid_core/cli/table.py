"""An outcome as tables on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plantid_core.ladder import stand_in
from plantid_core.palette import COLOURS, TITLES, percent
from plantid_core.plants import HEARD

if TYPE_CHECKING:
    from plantid_core.plants import Answer, Outcome, Suggestion

_SOURCES = {
    "upstream": "fresh",
    "near": "cache",
    "redis": "cache",
    "stale": "stale",
    "local": "this machine",
}
_SAID = {"no_match": "No match: it does not know this plant.", "not_a_plant": "Not a plant."}
_SHOWN = 5


def show(outcome: Outcome) -> None:
    """Print the joint verdict and one table a provider."""
    console = Console()
    verdict(console, outcome)
    console.print(Columns([_table(answer) for answer in outcome.answers]))
    if outcome.degraded:
        console.print(f"[yellow]Degraded: {', '.join(outcome.degraded)}[/yellow]")


def verdict(console: Console, outcome: Outcome) -> None:
    """Print the joint verdict, marked where the sandbox had a part in it, and who stands in for whom."""
    joint = outcome.consensus
    behind = [answer for answer in outcome.answers if answer.status in HEARD]
    mark = " · SANDBOX" if any(answer.sandbox for answer in behind) else ""
    if joint.abstained:
        console.print(f"[bold]{escape(joint.abstained)}[/bold]{mark}")
    else:
        first = joint.suggestions[0]
        of = sum(answer.status == "ok" for answer in outcome.answers)
        console.print(
            f"Most likely [bold italic]{escape(first.scientific_name)}[/bold italic]"
            f" · named by {len(first.providers)} of {of}{mark}"
        )
    if sentence := stand_in(outcome):
        console.print(f"[dim]{escape(sentence)}[/dim]")


def _table(answer: Answer) -> Table:
    mark = " · SANDBOX" if answer.sandbox else ""
    table = Table(
        title=f"{TITLES.get(answer.provider, answer.provider)}{mark}",
        title_style=COLOURS.get(answer.provider, "bold"),
        caption=f"{_SOURCES[answer.source]} · {answer.elapsed_ms:.0f} ms",
    )
    if answer.status == "ok":
        table.add_column("Name")
        table.add_column("Score", justify="right")
        for suggestion in answer.suggestions[:_SHOWN]:
            table.add_row(_name(suggestion), percent(suggestion.score))
    else:
        table.add_column("No names")
        message = answer.error["message"] if answer.error else _SAID.get(answer.status, "")
        table.add_row(escape(message))
    return table


def _name(suggestion: Suggestion) -> str:
    common = suggestion.taxon.common_names[:1]
    tail = f" {escape(common[0])}" if common else ""
    return f"[italic]{escape(suggestion.taxon.scientific_name)}[/italic]{tail}"
