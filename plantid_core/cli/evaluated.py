"""An evaluation as a table on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from plantid_core.compare.evaluate.sentence import titled
from plantid_core.compare.evaluate.wording import TITLES, told
from plantid_core.palette import COLOURS, NEUTRAL, so_many

if TYPE_CHECKING:
    from plantid_core.evaluation import Evaluation

_REFUSED_SHOWN = 10


def show(found: Evaluation) -> None:
    """Print the finding, a row a figure and a column a provider, and what else is to be known."""
    console = Console()
    console.print(f"[bold]{escape(found.finding)}[/bold]", highlight=False)
    console.print(_table(found))
    if found.stopped:
        console.print("Stopped: these figures are of the photos answered so far.")
    for note in found.notes:
        console.print(escape(note), style="dim", highlight=False)
    for one in found.refused[:_REFUSED_SHOWN]:
        console.print(escape(f"Refused: {one.file}: {one.reason}"), highlight=False)
    if (more := len(found.refused) - _REFUSED_SHOWN) > 0:
        console.print(f"… and {more:,} more were refused.")


def _table(found: Evaluation) -> Table:
    measured = found.measured
    caption = f"{so_many(measured.n)} · 95 % intervals from {measured.resamples:,} resamples"
    table = Table(caption=caption, caption_justify="left")
    table.add_column("")
    for name in measured.providers:
        table.add_column(
            escape(titled(name, found.sandbox)), header_style=COLOURS.get(name, NEUTRAL)
        )
    for metric, title in TITLES.items():
        cells = [told(metric, figures[metric]) for figures in measured.providers.values()]
        table.add_row(title, *map(escape, cells))
    return table
