"""*Operations*, access: tokens are made, shown once and ended; people are shut out and let in."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.access.principal import LOCAL, SCOPES
from plantid_core.errors import PlantIDError
from plantid_core.web.naming import plain
from plantid_core.web.operations_table import Row, heading, offer, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.access.people import Person
    from plantid_core.access.tokens import Token
    from plantid_core.desk import Desk

_SAID: Final = "operations_access_said"
_DAYS: Final = 90
_LONGEST_DAYS: Final = 3660
_LOCAL_NAME: Final = "this machine's person"


def show(desk: Desk) -> None:
    """Draw the tab."""
    desk.require("operations.see")
    if said := st.session_state.pop(_SAID, None):
        st.success(said, icon=":material/check:")
    try:
        tokens, people = desk.office.all_tokens(), desk.office.people()
    except PlantIDError as error:
        st.error(f"Who may come in cannot be told now. {error}", icon=":material/error:")
        return
    names = {person.id: person.name or person.subject for person in people}
    if not desk.settings.production and not desk.settings.signs_in:
        names[str(LOCAL.owner)] = _LOCAL_NAME
    heading("Tokens")
    _tokens(desk, tokens, names)
    heading("People")
    _people(desk, people)


def _tokens(desk: Desk, tokens: Sequence[Token], names: dict[str, str]) -> None:
    rows = [_token_row(token, names) for token in tokens]
    if rows:
        table("Tokens, the newest first", rows)
    else:
        st.caption("There is no token yet. With one, a program asks by the API as its owner.")
    with st.container(horizontal=True):
        if names and desk.may("tokens.create"):
            with st.popover("Make a token", icon=":material/key:"):
                _make(desk, names)
        good = [token for token in tokens if token.state(_now()) == "good"]
        if good:
            with st.popover("Revoke a token", icon=":material/key_off:"):
                _revoke(desk, good, names)
        if rows:
            offer("tokens", lambda: rows, "Download tokens (CSV)")
    if not names:
        st.caption("A token acts for somebody: nobody has signed in yet.")
    _shown_once()


def _make(desk: Desk, names: dict[str, str]) -> None:
    with st.form("operations_token", border=False):
        owner = st.selectbox("For", list(names), format_func=lambda one: names[one])
        scopes = st.multiselect(
            "It may",
            SCOPES,
            default=["identify"],
            help="What its owner may not do, it may not either",
        )
        days = st.number_input("Days until it ends", 1, _LONGEST_DAYS, _DAYS)
        label = st.text_input(
            "What it is for", placeholder="the greenhouse's camera", max_chars=100
        )
        pressed = st.form_submit_button("Make the token", type="primary")
    if not pressed:
        return
    try:
        _, word = desk.office.create_token(owner, scopes, days, label)
    except PlantIDError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.session_state["operations_word"] = word
    st.rerun()


def _shown_once() -> None:
    """Show a new token's word in this run, and in no other."""
    word = st.session_state.pop("operations_word", None)
    if word is not None:
        st.warning(
            "Copy the token now: it is shown this once, and kept nowhere.", icon=":material/key:"
        )
        st.code(word, language=None, wrap_lines=True)


def _revoke(desk: Desk, good: Sequence[Token], names: dict[str, str]) -> None:
    tokens = {token.id: token for token in good}
    chosen = tokens[
        st.selectbox(
            "Token",
            list(tokens),
            format_func=lambda one: _called(tokens[one], names),
            key="operations_revoked",
        )
    ]
    st.caption("Every process refuses it within seconds, and nothing brings it back.")
    if st.button("Revoke it", type="primary", key="operations_revoke"):
        try:
            desk.office.revoke_token(chosen.id)
        except PlantIDError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        _say(f"The token {plain(chosen.label or chosen.id)} lets nobody in any more.")


def _people(desk: Desk, people: Sequence[Person]) -> None:
    if not people:
        st.caption("Nobody has signed in yet.")
        return
    rows = [_person_row(person) for person in people]
    table("People", rows)
    with st.container(horizontal=True):
        with st.popover("Shut somebody out, or let them in", icon=":material/person_off:"):
            # By their ids: a page remembers what was chosen, and somebody chosen is no longer as they were.
            known = {person.id: person for person in people}
            who = st.selectbox(
                "Who",
                list(known),
                format_func=lambda one: f"{known[one].name or '–'} ({known[one].subject})",
                key="operations_person",
            )
            _change(desk, known[who])
        offer("people", lambda: rows, "Download people (CSV)")


def _change(desk: Desk, person: Person) -> None:
    name = plain(person.name or person.subject)
    if person.active:
        st.caption("Their sessions and tokens end within seconds; what they keep stays.")
        if st.button("Shut them out", type="primary", key="operations_out"):
            desk.office.deactivate(person.id)
            _say(f"{name} is shut out, with all sessions and tokens.")
    elif st.button("Let them in again", type="primary", key="operations_in"):
        desk.office.activate(person.id)
        _say(f"{name} may come in again.")


def _say(sentence: str) -> None:
    st.session_state[_SAID] = sentence
    st.rerun()


def _called(token: Token, names: dict[str, str]) -> str:
    return f"{token.label or token.id} · {names.get(token.owner, token.owner)}"


def _token_row(token: Token, names: dict[str, str]) -> Row:
    return {
        "what for": token.label or "–",
        "whose": names.get(token.owner, token.owner),
        "it may": ", ".join(token.scopes),
        "state": {"good": "✓ good", "deactivated": "✕ owner shut out"}.get(
            token.state(_now()), f"✕ {token.state(_now())}"
        ),
        "ends": f"{token.expires_at:%Y-%m-%d}",
        "last used": _minute(token.used_at),
        "id": token.id,
    }


def _person_row(person: Person) -> Row:
    return {
        "name": person.name or "–",
        "subject": person.subject,
        "role": person.role,
        "may come in": "✓ yes" if person.active else "✕ no",
        "last seen": _minute(person.seen_at),
    }


def _minute(time: dt.datetime | None) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
