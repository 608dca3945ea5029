"""A sentence on what was done, shown once the page is drawn anew; and files that are ready till then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_SAID: Final = "history_said"
_READY: Final = "history_ready"


def say(sentence: str, icon: str = ":material/check:") -> None:
    """Draw the page anew, and say this there; no file that was made before the change is offered."""
    st.session_state.pop(_READY, None)
    st.session_state[_SAID] = (sentence, icon)
    st.rerun()


def tell() -> None:
    """Say what is to be said."""
    if said := st.session_state.pop(_SAID, None):
        sentence, icon = said
        st.toast(sentence, icon=icon)


def ready() -> MutableMapping[str, Any]:
    """Return the files that are ready, until something changes."""
    made: MutableMapping[str, Any] = st.session_state.setdefault(_READY, {})
    return made
