"""*Operations*: a breaker is held or reset by hand, after what that means was said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.palette import TITLES
from plantid_core.web.api.breakers import ACTIONS

if TYPE_CHECKING:
    from plantid_core.desk import Desk

_SAID: Final = "operations_breaker_said"
# The actions of ``POST /api/v1/breakers/{name}`` that a person needs: what to press, what it means, done.
_MEANING: Final = {
    "force_open": ("Hold open", "It is not asked at all, until it is reset."),
    "force_close": ("Hold closed", "It is asked whatever happens, until it is reset."),
    "reset": ("Reset", "It decides by itself again, and its failures are forgotten."),
}
_HELD: Final = {
    "forced-open": "held open by hand",
    "disabled": "held closed by hand",
    "metrics-only": "only counts",
}


def held(mode: str | None) -> str:
    """Return in words how a breaker is held, empty where it decides by itself."""
    return _HELD.get(mode or "", "")


def by_hand(desk: Desk) -> None:
    """Offer to hold or reset a breaker, everywhere."""
    breakers = desk.workbench_for("breakers.force").breakers
    with st.popover("Hold or reset a breaker", icon=":material/electrical_services:"):
        name = st.selectbox(
            "Breaker",
            sorted(breakers),
            format_func=lambda one: TITLES.get(one, one),
            key="operations_breaker",
        )
        action = st.radio(
            "What to do, in every process",
            list(_MEANING),
            format_func=lambda one: _MEANING[one][0],
            captions=[meaning for _, meaning in _MEANING.values()],
            key="operations_action",
        )
        title = TITLES.get(name, name)
        label = {
            "force_open": f"Hold {title} open",
            "force_close": f"Hold {title} closed",
            "reset": f"Reset {title}",
        }[action]
        st.button(
            label,
            type="primary",
            key="operations_press",
            on_click=_press,
            args=(desk, name, action),
        )
    if said := st.session_state.pop(_SAID, None):
        st.success(said, icon=":material/check:")


def _press(desk: Desk, name: str, action: str) -> None:
    ACTIONS[action](desk.workbench_for("breakers.force").breakers[name])
    title = TITLES.get(name, name)
    done = {"force_open": "is held open", "force_close": "is held closed", "reset": "is reset"}
    st.session_state[_SAID] = f"{title} {done[action]}, in every process."
