"""A person names a plant: by what a service said, or by a name of their own, which is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.compare.determination import Decision
from plantid_core.compare.names.parse import read
from plantid_core.errors import NameUnparsable
from plantid_core.palette import TITLES, percent
from plantid_core.plants import Taxon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.compare.names.parse import Reading
    from plantid_core.plants import Answer, Suggestion
    from plantid_core.store.history.values import Action

_OWN: Final = "Another name"
_EACH: Final = 3
_NOTE_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen; ``provider`` and ``score`` are None for a name of the person's own."""

    taxon: Taxon
    provider: str | None = None
    score: float | None = None
    sandbox: bool = False

    def decision(self, note: str) -> Decision:
        """Return it as decided: what a service said is confirmed, a name of one's own changes it."""
        action: Action = "changed" if self.provider is None else "confirmed"
        return Decision(action, self.taxon, self.provider, self.score, note=note)


def choose(answers: Sequence[Answer]) -> Choice | None:
    """Draw the names that services said, and a field for another; None until there is a name."""
    said = [(answer, suggestion) for answer in answers for suggestion in answer.suggestions[:_EACH]]
    chosen = st.radio(
        "One of what the services said, or a name of your own",
        range(-1, len(said)),
        format_func=lambda place: _OWN if place < 0 else _told(*said[place]),
        key="other_choice",
    )
    if chosen < 0:
        own = own_name()
        return None if own is None else Choice(own)
    answer, suggestion = said[chosen]
    return Choice(suggestion.taxon, answer.provider, suggestion.score, answer.sandbox)


def own_name() -> Taxon | None:
    """Ask for a scientific name, and say what it is read as."""
    text = st.text_input(
        "Scientific name",
        placeholder="Prunus serrulata",
        max_chars=200,
        key="other_name",
    ).strip()
    if not text:
        return None
    try:
        reading = read(text)
    except NameUnparsable as error:
        st.caption(f":material/error: {plain(str(error))} Write it as *Genus species*.")
        return None
    parsed, name = reading.parsed, _written(reading)
    sign = "hybrid " if parsed.hybrid else ""
    author = f" {plain(parsed.authorship)}" if parsed.authorship else ""
    said = f"Read as the {sign}{plain(parsed.rank)} *{plain(name)}*{author}"
    st.caption(f":material/check: {said}{'' if said.endswith('.') else '.'}")
    return Taxon(name, parsed.authorship, parsed.rank, genus=parsed.genus)


def note(key: str) -> str:
    """Ask why, and return what was answered."""
    return st.text_area(
        "Why, if you like", max_chars=_NOTE_LENGTH, height="content", key=key
    ).strip()


def _written(reading: Reading) -> str:
    """Return the name as it was read, and not as it was typed; a doubt stays where it was uttered."""
    parsed = reading.parsed
    if parsed.genus is None or parsed.qualifier not in {"cf.", "aff."}:
        return reading.written
    return reading.written.replace(parsed.genus, f"{parsed.genus} {parsed.qualifier}", 1)


def plain(text: str) -> str:
    """Return a text that Markdown takes as it is."""
    return "".join(
        f"\\{letter}" if letter in r"\`*_{}[]()<>#+-.!|~:$@" else letter for letter in text
    )


def _told(answer: Answer, suggestion: Suggestion) -> str:
    mark = ", sandbox" if answer.sandbox else ""
    title = TITLES.get(answer.provider, answer.provider)
    name = plain(suggestion.taxon.scientific_name)
    return f"*{name}* ({title}{mark}, {percent(suggestion.score)})"
