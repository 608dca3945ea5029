"""The tables of *Compare*: a column a provider, in its colour, marked where a sandbox answered."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.palette import COLOURS, NEUTRAL, TITLES, percent

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from plantid_core.compare.align import Cell, Row, Table
    from plantid_core.plants import Answer

_STYLE: Final = """<style>
.pid-wide{overflow-x:auto}
.pid-table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
.pid-table th,.pid-table td{text-align:left;vertical-align:top;padding:.4rem .6rem;
border-bottom:1px solid rgba(128,128,128,.25);min-width:5.6rem}
.pid-table thead th{border-bottom:4px solid;vertical-align:bottom;font-weight:600}
.pid-table tbody th{font-weight:400;min-width:9rem}
.pid-table .pid-small{display:block}
.pid-figure>span{white-space:nowrap}
.pid-table .pid-best td,.pid-table .pid-best th{background:rgba(230,159,0,.13)}
.pid-finding{font-size:1.15rem;line-height:1.45;border-left:5px solid #E69F00;padding-left:.7rem}
@media(max-width:600px){.pid-table th,.pid-table td{padding:.4rem .3rem;min-width:4.4rem}
.pid-table tbody th{min-width:6.6rem}}
</style>"""
SILENT: Final = {
    "no_match": "knows no such plant",
    "not_a_plant": "sees no plant",
    "unavailable": "did not answer",
    "quota": "had no requests left",
    "rejected": "refused the photo",
}
"""What a provider did that named nothing, by its status."""


def style() -> None:
    """Give the page what its tables are dressed in."""
    st.html(_STYLE)


def heading(provider: str, note: str = "", *, sandbox: bool = False) -> str:
    """Return the cell over a provider's column."""
    colour = COLOURS.get(provider, NEUTRAL)
    mark = '<br><span class="pid-mark">SANDBOX</span>' if sandbox else ""
    small = f'<span class="pid-small">{escape(note)}</span>' if note else ""
    title = escape(TITLES.get(provider, provider))
    return f'<th scope="col" style="border-color:{colour}">{title}{mark}{small}</th>'


def table(caption: str, first: str, heads: Sequence[str], body: Sequence[str]) -> str:
    """Return a table of cells that are HTML already; ``caption`` and ``first`` are not."""
    corner = f'<th scope="col" style="border-color:{NEUTRAL}">{escape(first)}</th>'
    told = escape(caption)
    return (
        f'<div class="pid-small">{told}</div>'
        f'<div class="pid-wide" tabindex="0" role="region" aria-label="{told}">'
        f'<table class="pid-table" aria-label="{told}">'
        f"<thead><tr>{corner}{''.join(heads)}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def italics(sentence: str, names: Collection[str | None]) -> str:
    """Return a sentence as HTML, with the names that occur in it in italics."""
    told = sorted({escape(name) for name in names if name}, key=len, reverse=True)
    if not told:
        return escape(sentence)
    return re.sub("|".join(map(re.escape, told)), r"<i>\g<0></i>", escape(sentence))


def side_by_side(found: Table, answers: Sequence[Answer], most: int) -> str:
    """Return the taxa that providers name, those of the consensus first, as a table."""
    by_name = {answer.provider: answer for answer in answers}
    heads = [
        heading(name, SILENT.get(by_name[name].status, ""), sandbox=by_name[name].sandbox)
        for name in found.providers
    ]
    rows = [
        _row(row, found.providers, best=place == 0) for place, row in enumerate(found.rows[:most])
    ]
    left = len(found.rows) - most
    more = f"; {left} more are in the CSV" if left > 0 else ""
    caption = f"Rank and score of each name, synonyms brought together{more}"
    return table(caption, "Plant", heads, rows)


def _row(row: Row, providers: Sequence[str], *, best: bool) -> str:
    cells = "".join(_cell(row, name) for name in providers)
    above = row.taxon.family.capitalize() if row.taxon.family else ""
    rank = "" if row.taxon.rank == "species" else row.taxon.rank
    small = " · ".join(filter(None, [rank, above]))
    name = f'<i>{escape(row.title)}</i><span class="pid-small">{escape(small)}</span>'
    chosen = ' class="pid-best"' if best else ""
    return f'<tr{chosen}><th scope="row">{name}</th>{cells}</tr>'


def _cell(row: Row, provider: str) -> str:
    cell: Cell | None = row.cells.get(provider)
    if cell is None:
        return '<td><span aria-label="not named">–</span></td>'
    colour = COLOURS.get(provider, NEUTRAL)
    width = max(1.0, min(100.0, cell.score * 100))
    given = "" if _same(cell.given, row.title) else f"as {cell.given}"
    return (
        f"<td><b>{cell.rank}.</b> {percent(cell.score)}"
        f'<div class="pid-bar"><div style="width:{width:.0f}%;background:{colour}"></div></div>'
        f'<span class="pid-small">{escape(given)}</span></td>'
    )


def _same(one: str, other: str) -> bool:
    return one.replace("×", "").split() == other.replace("×", "").split()


def rows(found: Table, sandbox: Collection[str]) -> list[dict[str, object]]:
    """Return the table as tidy rows: one a taxon and provider that names it."""
    return [
        {
            "scientific_name": row.title,
            "rank": row.taxon.rank,
            "genus": row.taxon.genus,
            "family": row.taxon.family,
            "provider": name,
            "sandbox": name in sandbox,
            "place": cell.rank,
            "score": cell.score,
            "given": cell.given,
        }
        for row in found.rows
        for name, cell in row.cells.items()
    ]
