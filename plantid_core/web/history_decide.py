"""What a person decides of a kept observation: right, something else, or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.compare.determination import Decision
from plantid_core.errors import PlantIDError, SandboxNotBotany
from plantid_core.web import history_said, naming
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from plantid_core.desk import Desk
    from plantid_core.store.history.values import Observed

_SAID = {"confirmed": "Confirmed", "changed": "Named", "rejected": "Rejected all names"}


def confirm(desk: Desk, observed: Observed, decision: Decision) -> None:
    """Keep a confirmation; where it would rest on the sandbox, ask whether that is meant."""
    try:
        _keep(desk, observed, decision)
    except SandboxNotBotany:
        _practise(desk, observed, decision)
    except PlantIDError as error:
        st.error(plain(str(error)), icon=":material/error:")


@st.dialog("Practise with the sandbox?", icon=":material/science:")
def _practise(desk: Desk, observed: Observed, decision: Decision) -> None:
    name = decision.taxon.scientific_name if decision.taxon else "this name"
    st.markdown(
        f"*{plain(name)}* comes from the sandbox, which knows no botany: its names are made up, to try"
        " the app with. You can confirm it as practice. It stays marked, and is in no export unless you"
        " ask for sandbox answers there."
    )
    if st.button("Confirm as practice", type="primary", key="practise"):
        _keep_or_say(desk, observed, decision, include_sandbox=True)


@st.dialog("What is it?", icon=":material/edit:")
def another(desk: Desk, observed: Observed) -> None:
    """Ask for another name: one that a service said, or the person's own."""
    choice = naming.choose(observed.answers)
    practice = False
    if choice is not None and choice.sandbox:
        practice = st.checkbox(
            "Take it as practice: the sandbox knows no botany, and the name stays marked",
            key="other_practice",
        )
    note = naming.note("other_note")
    ready = choice is not None and (practice or not choice.sandbox)
    if st.button("Save this name", type="primary", disabled=not ready) and choice is not None:
        _keep_or_say(desk, observed, choice.decision(note), include_sandbox=practice)


@st.dialog("Are all of these names wrong?", icon=":material/close:")
def reject(desk: Desk, observed: Observed) -> None:
    """Ask whether every suggestion is wrong, and why."""
    st.markdown(
        "The observation then stands without a name, until you give it one. What the services said is"
        " kept beside it."
    )
    note = naming.note("reject_note")
    if st.button("They are wrong", type="primary", key="reject"):
        _keep_or_say(desk, observed, Decision("rejected", note=note))


def _keep_or_say(
    desk: Desk, observed: Observed, decision: Decision, *, include_sandbox: bool = False
) -> None:
    try:
        _keep(desk, observed, decision, include_sandbox=include_sandbox)
    except PlantIDError as error:
        st.error(plain(str(error)), icon=":material/error:")


def _keep(
    desk: Desk, observed: Observed, decision: Decision, *, include_sandbox: bool = False
) -> None:
    made = desk.collection.determine(observed.id, decision, include_sandbox=include_sandbox)
    name = f": *{plain(made.taxon.scientific_name)}*" if made.taxon else ""
    practice = " (practice)" if made.sandbox else ""
    history_said.say(f"{_SAID[made.action]}{name}{practice}.")
