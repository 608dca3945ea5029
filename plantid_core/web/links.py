"""Addresses written by hand: an option by its plain name, where the page shows it in other words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Mapping


def by_name(**options: Mapping[str, str]) -> None:
    """Let ``?key=name`` choose an option that is shown as ``options[key][name]``.

    A widget that is bound to the address knows its options by the words that it shows, and passes over
    all else. Call it before the widgets are drawn: where a name was found, the page begins anew with
    the words in its address.
    """
    found = {
        key: words[st.query_params[key]]
        for key, words in options.items()
        if key not in st.session_state and st.query_params.get(key) in words
    }
    changed = {key: word for key, word in found.items() if word != st.query_params[key]}
    if changed:
        st.query_params.update(changed)
        st.rerun()
