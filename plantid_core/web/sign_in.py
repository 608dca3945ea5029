"""The way in and out: the sign-in page, and in the sidebar who is signed in.

To show it or not lets nobody in: what somebody may do, the desk decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from plantid_core.errors import HistoryUnavailable
from plantid_core.web import door
from plantid_core.web.guards.identity import DEPARTED_COOKIE
from plantid_core.web.naming import plain
from plantid_core.web.session import desk, forget_others

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.navigation.page import StreamlitPage

    from plantid_core.desk import Desk

_LONGEST = 60


def navigation(offered: Sequence[StreamlitPage]) -> StreamlitPage:
    """Return the page that is looked at; where a sign-in comes first, that stands in each one's place."""
    if _own_desk().may("identify.ask"):
        return st.navigation(list(offered))
    shut = [
        st.Page(_page, title="Sign in", url_path=page.url_path, default=not page.url_path)
        for page in offered
    ]
    return st.navigation(shut, position="hidden")


def who() -> None:
    """Draw in the sidebar who is signed in and the way out, or the way in.

    What the page's session holds of somebody else is forgotten first.
    """
    at = _own_desk()
    forget_others(at.principal)
    if not at.settings.signs_in:
        return
    with st.sidebar:
        if at.principal.kind == "person":
            st.caption(f"Signed in as {plain(_name())}")
            st.button("Sign out", key="sign_out", icon=":material/logout:", on_click=st.logout)
        elif at.may("identify.ask"):
            door.invite(at, "Sign in to keep a history.", key="sign_in_aside")


def _page() -> None:
    at = _own_desk()
    st.title("Plant-ID workbench", anchor=False)
    if st.context.cookies.get(DEPARTED_COOKIE) or st.user.get("is_logged_in"):
        st.warning(
            "You are signed out: your account here was deactivated, or this sign-in was ended elsewhere."
            " What you kept is not deleted. Where signing in again does not help, ask whoever runs this"
            " app to let you in.",
            icon=":material/person_off:",
        )
    if not at.settings.signs_in:
        st.info(
            "Nobody can sign in here yet. Whoever runs this app sets PLANTID_OIDC_ISSUER first."
            " Programs come in with a token.",
            icon=":material/lock:",
        )
        return
    st.write("Sign in to identify plants, and to keep what you find.")
    door.way_in(at, key="sign_in", kind="primary")


def _own_desk() -> Desk:
    try:
        return desk()
    except HistoryUnavailable as error:
        st.error(f"It cannot be told who you are now. {error}", icon=":material/error:")
        st.stop()


def _name() -> str:
    """Return what the issuer calls them; it tells people apart for their own eyes alone."""
    for claim in ("name", "preferred_username", "email", "sub"):
        if isinstance(found := st.user.get(claim), str) and found.strip():
            return found.strip()[:_LONGEST]
    return "somebody"
