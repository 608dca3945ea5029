"""Under the answers: *Confirm*, *It is something else…*, *Compare*, *Export*."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.compare.determination import CONSENSUS, Decision
from plantid_core.errors import PlantIDError, SandboxNotBotany
from plantid_core.web import download, keeping, naming
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.plants import Outcome
    from plantid_core.store.history.values import Determination
    from plantid_core.web.asked import Asked
    from plantid_core.web.keeping import Wish

_DECIDED, _INCLUDE = "decided", "include_sandbox"
_SAID = {"confirmed": "You confirmed", "changed": "You named it", "rejected": "You rejected all"}


def show(desk: Desk, wish: Wish | None, asked: Asked, outcome: Outcome) -> None:
    """Draw the buttons, and what was decided."""
    _decided(outcome)
    joint = outcome.consensus
    sure = bool(joint.suggestions) and joint.abstained is None
    with st.container(horizontal=True):
        if wish is not None and outcome.rung != "none":
            first = joint.suggestions[0].scientific_name if sure else ""
            confirmed = st.button(
                f"Confirm *{plain(first)}*" if sure else "Confirm",
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
            # With None, what is in the address would be cleared, which its widgets do not allow.
            st.switch_page("pages/compare.py", query_params={})
        with st.popover("Export", icon=":material/download:"):
            download.buttons(desk, outcome)
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
        practice = bool(st.session_state.get(_INCLUDE))
        if _made(desk, wish, (asked, outcome), decision, practice=practice):
            st.rerun()
    elif other:
        _another(desk, wish, asked, outcome)


@st.dialog("What is it?", icon=":material/edit:")
def _another(desk: Desk, wish: Wish, asked: Asked, outcome: Outcome) -> None:
    choice = naming.choose(outcome.answers)
    practice = bool(st.session_state.get(_INCLUDE))
    if choice is not None and choice.sandbox and not practice:
        practice = st.checkbox(
            "Take it as practice: the sandbox knows no botany, and the name stays marked",
            key="other_practice",
        )
    note = naming.note("other_note")
    with st.container(horizontal=True):
        ready = choice is not None and (practice or not choice.sandbox)
        named = st.button("Save this name", type="primary", disabled=not ready)
        none = st.button("None of these, and I do not know")
    decision = None
    if none:
        decision = Decision("rejected", note=note)
    elif named and choice is not None:
        decision = choice.decision(note)
    if decision is not None and _made(desk, wish, (asked, outcome), decision, practice=practice):
        st.rerun()


def _made(
    desk: Desk,
    wish: Wish,
    of: tuple[Asked, Outcome],
    decision: Decision,
    *,
    practice: bool,
) -> bool:
    """Keep the observation and the decision; where it cannot be, say why and return False."""
    asked, outcome = of
    try:
        keeping.keep(desk, wish, asked, outcome)
        made = desk.collection.determine(outcome.id, decision, include_sandbox=practice)
    except SandboxNotBotany:
        st.info(
            "These names come from the sandbox, no botany. Practise with them? Tick *Include sandbox"
            " answers* under the answers, and try again.",
            icon=":material/science:",
        )
        return False
    except PlantIDError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return False
    st.session_state.setdefault(_DECIDED, {})[outcome.id] = made
    return True


def _decided(outcome: Outcome) -> None:
    made: Determination | None = st.session_state.get(_DECIDED, {}).get(outcome.id)
    if made is None:
        return
    name = f" *{plain(made.taxon.scientific_name)}*" if made.taxon else ""
    mark = " (practice: it rests on the sandbox)" if made.sandbox else ""
    st.success(f"{_SAID[made.action]}{name}{mark}.", icon=":material/verified:")
