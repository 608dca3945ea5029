"""The table of *History*: a row an observation, with what a person can do about it.

Everything a service or a person wrote is escaped before it becomes HTML.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.compare.determination import CONSENSUS, Decision
from plantid_core.export.release import Terms, release, standing
from plantid_core.palette import COLOURS, NEUTRAL, TITLES, percent
from plantid_core.web import (
    compare_table,
    history_decide,
    history_details,
    history_filters,
    history_photos,
)
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from plantid_core.desk import Desk
    from plantid_core.export.release import Named
    from plantid_core.plants import Answer
    from plantid_core.store.history.values import Circumstances, Observed

_STYLE: Final = """<style>
.pid-row{line-height:1.45;display:flex;gap:.9rem}
.pid-row>div:last-child{flex:1;min-width:0}
.pid-thumb{width:96px;height:96px;border-radius:8px;flex:none;object-fit:cover}
.pid-row .pid-stands{font-size:1.06rem}
.pid-state{display:inline-block;border-radius:4px;padding:0 .4rem;font-size:.76rem;font-weight:600;
border:1px solid;margin-right:.45rem;white-space:nowrap}
.pid-state.pid-yes{background:#1b6b45;border-color:#1b6b45;color:#fff}
.pid-state.pid-no{border-style:dashed;border-color:currentColor}
.pid-state.pid-wrong{background:#8f2f2f;border-color:#8f2f2f;color:#fff}
.pid-who{display:inline-block;margin-right:.8rem;font-size:.86rem}
.pid-who b{font-weight:400;white-space:nowrap}
.pid-who .pid-mark{margin-left:.3rem;font-size:.62rem;padding:0 .25rem}
.pid-who::before{content:"";display:inline-block;width:.62em;height:.62em;margin-right:.35em;
background:var(--c);border-radius:2px}
.pid-note{font-size:.88rem;border-left:3px solid rgba(128,128,128,.4);padding-left:.5rem;
overflow-wrap:anywhere;max-height:4.4em;overflow:auto}
.pid-gone{border:1px dashed rgba(128,128,128,.7);
display:flex;align-items:center;justify-content:center;text-align:center;font-size:.72rem;
opacity:.8;padding:.4rem;box-sizing:border-box}
[class*=st-key-kept-]{border-bottom:1px solid rgba(128,128,128,.25);padding-bottom:.35rem}
[class*=st-key-acts-]{row-gap:0;padding-left:calc(96px + 2.9rem)}
[class*=st-key-acts-] button{min-height:1.6rem;padding-top:0;padding-bottom:0}
</style>"""
_MARK: Final = '<span class="pid-mark">SANDBOX</span>'


@dataclass(frozen=True, slots=True)
class Line:
    """An observation, the name it stands under, and how it is spoken of in plain words."""

    observed: Observed
    named: Named | None

    @property
    def spoken(self) -> str:
        """Return the name as words alone."""
        return self.named.taxon.scientific_name if self.named else "a plant without a name"


def style() -> None:
    """Give the page what its rows are dressed in."""
    st.html(_STYLE)


def lines(desk: Desk, observations: Sequence[Observed]) -> list[Line]:
    """Return the observations with the names that stand."""
    names = desk.names
    mine = Terms(names, None, include_sandbox=True)
    made = []
    for observed in observations:
        told = release(observed, mine)
        made.append(Line(observed, standing(told, names) if told else None))
    return made


@st.fragment
def show(desk: Desk, line: Line) -> None:
    """Draw a row; what is pressed in it draws it alone anew."""
    observed = line.observed
    with st.container(key=f"kept-{observed.id}", gap=None):
        with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
            # Ticks are read when something is done with them: until then nothing needs to be drawn.
            st.checkbox(
                # A screen reader tells it as it is: without Markdown's signs, escaped or not.
                f"Select {_words(line.spoken)}, identified {day(observed.made_at)}",
                key=picked(observed),
                label_visibility="collapsed",
                on_change="ignore",
            )
            st.html(f'<div class="pid-row">{_thumbnail(desk, line)}{_told(line)}</div>')
        _actions(desk, line)
        fold = st.expander(
            "Details", key=f"details-{observed.id}", on_change="rerun", type="compact"
        )
        if fold.open:
            with fold:
                history_details.show(desk, observed)


def picked(observed: Observed) -> str:
    """Return the key of the tick that selects an observation."""
    return f"pick-{observed.id}"


def day(time: dt.datetime) -> str:
    """Return the day of a moment, where the person who looks is."""
    return date(time.astimezone(history_filters.zone()))


def date(on: dt.date) -> str:
    """Return a day as a person writes it."""
    return f"{on.day} {on:%b %Y}"


def _words(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum() or letter in " ×.-")


def _thumbnail(desk: Desk, line: Line) -> str:
    """Return the first photo, in the page itself: at an address of its own others might ask for it."""
    photos = line.observed.photos
    jpeg = photos and history_photos.small(desk, photos[0].photo_id, history_photos.THUMBNAIL_PX)
    if not jpeg:
        return '<div class="pid-thumb pid-gone">The photo cannot be read</div>'
    data = base64.b64encode(jpeg).decode()
    return (
        f'<img class="pid-thumb" src="data:image/jpeg;base64,{data}"'
        f' alt="Photo of {escape(line.spoken)}">'
    )


def _told(line: Line) -> str:
    observed = line.observed
    decided = observed.determination
    note = ""
    if decided and decided.note:
        note = f'<div class="pid-note">{escape(decided.note)}</div>'
    named = line.named
    common = ", ".join(named.taxon.common_names[:2]) if named else ""
    family = named.taxon.family if named else None
    family = None if family and family == line.spoken else family
    known = " · ".join(escape(part) for part in (common, family) if part)
    return (
        f'<div><div class="pid-stands">{_stands(line)}</div>'
        f'<div class="pid-small">{known}</div>'
        f"<div>{''.join(_said(answer, line) for answer in observed.answers)}</div>"
        f'<div class="pid-small">{escape(_when_and_where(observed))}</div>{note}</div>'
    )


def _stands(line: Line) -> str:
    """Return the name that stands, and by whose word: as a word and a shape, not by colour alone."""
    decided, named = line.observed.determination, line.named
    practice = line.observed.sandbox if decided is None else decided.sandbox
    mark = _MARK if practice else ""
    if decided is not None and decided.action == "rejected":
        return (
            '<span class="pid-state pid-wrong">✕ rejected</span>'
            f"No name: those suggested are wrong{mark}"
        )
    if decided is not None and named is not None:
        how = " as practice" if practice else ""
        state = f'<span class="pid-state pid-yes">✓ verified{how}</span>'
        return f"{state}{_name(named)}{mark}"
    state = '<span class="pid-state pid-no">○ not verified</span>'
    if named is None:
        return f"{state}No joint name"
    score = "" if named.score is None else f" <b>{percent(named.score)}</b>"
    return f"{state}suggested: {_name(named)}{score}{mark}"


def _name(named: Named) -> str:
    taxon = named.taxon
    rank = "" if taxon.rank == "species" else f"{escape(taxon.rank)} "
    # A person may have written the authorship into the name itself.
    author = taxon.authorship or ""
    name = taxon.scientific_name.removesuffix(author).rstrip()
    return f'{rank}<i>{escape(name)}</i> <span class="pid-author">{escape(author)}</span>'


def _said(answer: Answer, line: Line) -> str:
    """Return what a provider said first: its score alone, where that is the name that stands."""
    title = escape(TITLES.get(answer.provider, answer.provider))
    colour = COLOURS.get(answer.provider, NEUTRAL)
    if answer.status != "ok" or not answer.suggestions:
        said = f"<span>{compare_table.SILENT.get(answer.status, 'gave no name')}</span>"
    else:
        first = answer.suggestions[0]
        name = first.taxon.scientific_name
        same = line.named is not None and name == line.named.taxon.scientific_name
        score = f"<b>{percent(first.score)}</b>"
        said = score if same else f"<i>{escape(name)}</i> {score}"
    mark = _MARK if answer.sandbox else ""
    return f'<span class="pid-who" style="--c:{colour}">{title}{mark}: {said}</span> '


def _when_and_where(observed: Observed) -> str:
    known = observed.circumstances
    words = [f"identified {day(observed.made_at)}"]
    if known.observed_on:
        words.append(f"seen {date(known.observed_on)}")
    if known.recorded_by:
        words.append(f"by {known.recorded_by}")
    words += where(known)
    if len(observed.photos) > 1:
        words.append(f"{len(observed.photos)} photos")
    return " · ".join(words)


def where(known: Circumstances) -> list[str]:
    """Return the place in words, in a list that is empty where there is none."""
    place = known.place
    if place is None:
        return []
    north = f"{abs(place.latitude):.4f}° {'N' if place.latitude >= 0 else 'S'}"
    east = f"{abs(place.longitude):.4f}° {'E' if place.longitude >= 0 else 'W'}"
    within = f" ± {known.uncertainty_m:,.0f} m" if known.uncertainty_m else ""
    return [f"{north} {east}{within}"]


def _actions(desk: Desk, line: Line) -> None:
    observed, named = line.observed, line.named
    with st.container(horizontal=True, key=f"acts-{observed.id}", gap="xsmall"):
        if observed.determination is None and named is not None:
            name = plain(named.taxon.scientific_name)
            if st.button(
                f"Confirm *{name}*",
                key=f"confirm-{observed.id}",
                icon=":material/check:",
            ):
                decision = Decision("confirmed", named.taxon, CONSENSUS)
                history_decide.confirm(desk, observed, decision)
        if st.button(
            "It is something else…",
            key=f"other-{observed.id}",
            icon=":material/edit:",
            type="tertiary",
        ):
            history_decide.another(desk, observed)
        decided = observed.determination
        rejected = decided is not None and decided.action == "rejected"
        suggested = any(answer.suggestions for answer in observed.answers)
        if (suggested and not rejected) and st.button(
            "These names are wrong",
            key=f"wrong-{observed.id}",
            icon=":material/close:",
            type="tertiary",
        ):
            history_decide.reject(desk, observed)
