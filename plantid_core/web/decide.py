"""Under the answers: *Confirm*, *It is something else…*, *Compare*, *Export*."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.compare.determination import CONSENSUS, Decision
from plantid_core.compare.names.parse import parse
from plantid_core.errors import NameUnparsable, PlantIDError, SandboxNotBotany
from plantid_core.palette import TITLES, percent
from plantid_core.plants import Taxon
from plantid_core.web import download, keeping

if TYPE_CHECKING:
    from plantid_core.plants import Answer, Outcome, Suggestion
    from plantid_core.store.history.values import Determination
    from plantid_core.web.asked import Asked
    from plantid_core.web.keeping import Wish
    from plantid_core.workbench import Workbench

_DECIDED, _INCLUDE = "decided", "include_sandbox"
_OWN = "Another name"
_EACH = 3
_SAID = {"confirmed": "You confirmed", "changed": "You named it", "rejected": "You rejected all"}


def show(workbench: Workbench, wish: Wish | None, asked: Asked, outcome: Outcome) -> None:
    """Draw the buttons, and what was decided."""
    _decided(outcome)
    joint = outcome.consensus
    sure = bool(joint.suggestions) and joint.abstained is None
    with st.container(horizontal=True):
        if wish is not None and outcome.rung != "none":
            first = joint.suggestions[0].scientific_name if sure else ""
            confirmed = st.button(
                f"Confirm *{_plain(first)}*" if sure else "Confirm",
                type="primary",
                icon=":material/check:",
                disabled=not sure,
                help="Keeps it in your history as determined by you."
                if sure
                else "There is no joint name to confirm: choose one under *It is something else…*.",
            )
            other = st.button("It is something else…", icon=":material/edit:")
        else:
            confirmed = other = False
        if st.button("Compare", icon=":material/table_chart:"):
            st.switch_page("pages/compare.py")
        with st.popover("Export", icon=":material/download:"):
            download.buttons(outcome)
    if wish is None:
        return
    if outcome.sandbox:
        st.checkbox(
            "Include sandbox answers (practice; they stay marked)",
            key=_INCLUDE,
            bind="query-params",
            help="The sandbox knows no botany: its names are made up to try the app with.",
        )
    if confirmed:
        decision = Decision("confirmed", provider=CONSENSUS)
        if _made(workbench, wish, (asked, outcome), decision):
            st.rerun()
    elif other:
        _another(workbench, wish, asked, outcome)


@st.dialog("What is it?", icon=":material/edit:")
def _another(workbench: Workbench, wish: Wish, asked: Asked, outcome: Outcome) -> None:
    said = [
        (answer, suggestion)
        for answer in outcome.answers
        for suggestion in answer.suggestions[:_EACH]
    ]
    chosen = st.radio(
        "One of what the services said, or a name of your own",
        range(-1, len(said)),
        format_func=lambda place: _OWN if place < 0 else _told(*said[place]),
        key="other_choice",
    )
    own = _own_name() if chosen < 0 else None
    note = st.text_area("Why, if you like", max_chars=500, height="content", key="other_note")
    with st.container(horizontal=True):
        ready = chosen >= 0 or own is not None
        named = st.button("Save this name", type="primary", disabled=not ready)
        none = st.button("None of these, and I do not know")
    decision = None
    if none:
        decision = Decision("rejected", note=note)
    elif named and own is not None:
        decision = Decision("changed", own, note=note)
    elif named:
        answer, suggestion = said[chosen]
        decision = Decision(
            "confirmed", suggestion.taxon, answer.provider, suggestion.score, note=note
        )
    if decision is not None and _made(workbench, wish, (asked, outcome), decision):
        st.rerun()


def _own_name() -> Taxon | None:
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
        parsed = parse(text)
    except NameUnparsable as error:
        st.caption(f":material/error: {_plain(str(error))} Write it as *Genus species*.")
        return None
    sign = "hybrid, " if parsed.hybrid else ""
    st.caption(
        f":material/check: Read as the {sign}{_plain(parsed.rank)} *{_plain(parsed.canonical)}*."
    )
    return Taxon(text, parsed.authorship, parsed.rank, genus=parsed.genus)


def _told(answer: Answer, suggestion: Suggestion) -> str:
    mark = ", sandbox" if answer.sandbox else ""
    title = TITLES.get(answer.provider, answer.provider)
    name = _plain(suggestion.taxon.scientific_name)
    return f"*{name}* ({title}{mark}, {percent(suggestion.score)})"


def _made(workbench: Workbench, wish: Wish, of: tuple[Asked, Outcome], decision: Decision) -> bool:
    """Keep the observation and the decision; where it cannot be, say why and return False."""
    asked, outcome = of
    owner = workbench.owner()
    if owner is None:
        return False
    include = bool(st.session_state.get(_INCLUDE))
    try:
        keeping.keep(workbench, wish, asked, outcome)
        made = workbench.collection.determine(owner, outcome.id, decision, include_sandbox=include)
    except SandboxNotBotany:
        st.info(
            "These names come from the sandbox, no botany. Practise with them? Tick *Include sandbox"
            " answers* under the answers, and try again.",
            icon=":material/science:",
        )
        return False
    except PlantIDError as error:
        st.error(_plain(str(error)), icon=":material/error:")
        return False
    st.session_state.setdefault(_DECIDED, {})[outcome.id] = made
    return True


def _decided(outcome: Outcome) -> None:
    made: Determination | None = st.session_state.get(_DECIDED, {}).get(outcome.id)
    if made is None:
        return
    name = f" *{_plain(made.taxon.scientific_name)}*" if made.taxon else ""
    mark = " (practice: it rests on the sandbox)" if made.sandbox else ""
    st.success(f"{_SAID[made.action]}{name}{mark}.", icon=":material/verified:")


def _plain(text: str) -> str:
    """Return a text that Markdown takes as it is."""
    return "".join(
        f"\\{letter}" if letter in r"\`*_{}[]()<>#+-.!|~:$@" else letter for letter in text
    )
