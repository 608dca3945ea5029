"""The permission matrix of every route and action, for `docs/security.md`.

``python -m plantid_core.web.matrix`` writes it there anew, between its two marks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from plantid_core.access import matrix
from plantid_core.access.permissions import DenyAll, Permission
from plantid_core.access.rules import RULES
from plantid_core.web import application
from plantid_core.web.guards.coverage import OTHERS, Special, own
from plantid_core.web.guards.identity import ALIKE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.access.matrix import Caller, Cell
    from plantid_core.web.guards.coverage import Entry

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "security.md"

_READING = {"GET", "HEAD"}


def entries() -> tuple[Entry, ...]:
    """Return every path of the app that is documented: ours, then Streamlit's."""
    ours = [entry for entry in own(application.routes()) if entry.about]
    return (*ours, *OTHERS)


def route_cell(entry: Entry, caller: Caller) -> Cell | Special:
    """Return what a caller is answered: an HTTP status where it is not what they asked for."""
    if isinstance(entry.needs, Special):
        return entry.needs
    if caller.refused:
        return "yes" if entry.path.startswith(ALIKE) else "401"
    if entry.needs is DenyAll:
        return "404"
    about_a_thing = "{id}" in entry.path
    if not about_a_thing and caller.stranger:
        # No thing is named: it is about their own.
        caller = matrix.own_things(caller)
    found = matrix.cell(entry.needs, caller, reads=_READING.issuperset(entry.methods))
    if found == "403" and about_a_thing and caller.stranger:
        own_thing = matrix.cell(entry.needs, matrix.own_things(caller))
        return "404" if own_thing == "yes" else found
    return found


def table() -> str:
    """Return both tables as Markdown."""
    heads = ["route", "what", "needs", *(caller.name for caller in matrix.CALLERS)]
    routes = matrix.markdown(heads, _routes())
    return "\n".join([*routes, "", *matrix.actions()])


def _routes() -> Iterator[list[str]]:
    for entry in entries():
        cells = (route_cell(entry, caller) for caller in matrix.CALLERS)
        yield [
            f"`{' '.join([*(one for one in entry.methods if one != 'HEAD'), entry.path])}`",
            entry.about,
            _needs(entry),
            *("†" if isinstance(one, Special) else one for one in cells),
        ]


def _needs(entry: Entry) -> str:
    if isinstance(entry.needs, Special):
        return f"† {entry.needs.value}"
    if isinstance(entry.needs, Permission):
        return entry.needs.name
    return f"`{entry.needs}`: {RULES[entry.needs].permission.name}".replace("|", "\\|")


def rewritten(text: str) -> str:
    """Return the document with the tables of today between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(rewritten(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
