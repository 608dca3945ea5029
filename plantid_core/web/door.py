"""What somebody sees who may not do what a page is for: a sentence in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

if TYPE_CHECKING:
    from plantid_core.access.rules import Action
    from plantid_core.desk import Desk

_NOT_YOURS = "You may not do this here. Ask whoever runs this app."


def shut(desk: Desk, action: Action, invitation: str) -> bool:
    """Tell whether they may not, and say so: the unknown are invited to sign in.

    This is for their eyes alone: what is not theirs to do, the desk refuses.
    """
    if desk.may(action):
        return False
    unknown = desk.principal.kind == "anonymous"
    st.info(invitation if unknown else _NOT_YOURS, icon=":material/lock:")
    if unknown:
        way_in(desk, key=f"sign_in_{action}")
    return True


def invite(desk: Desk, sentence: str, *, key: str) -> None:
    """Draw a sentence that tells why to sign in, and the button; nothing where nobody can."""
    if desk.settings.signs_in:
        st.caption(sentence)
        way_in(desk, key=key)


def way_in(desk: Desk, *, key: str, kind: Literal["primary", "secondary"] = "secondary") -> None:
    """Draw the button that leads to the sign-in, where there is one."""
    if desk.settings.signs_in:
        st.button("Sign in", key=key, type=kind, icon=":material/login:", on_click=st.login)
