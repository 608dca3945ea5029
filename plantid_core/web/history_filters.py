"""Which observations *History* shows: every choice is in the page's address."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from plantid_core.palette import TITLES
from plantid_core.store.history.limits import SEARCH_LENGTH
from plantid_core.store.history.values import Filter
from plantid_core.web import links

PAGE: Final = 50
MOST: Final = 500
_SHOWN: Final = "shown"
_ANYBODY: Final = "anybody"
_STATES: Final = {"verified": "Verified", "unverified": "Not verified"}
_NAMED_BY: Final = {
    _ANYBODY: "Anybody",
    **{name: title for name, title in TITLES.items() if name != "consensus"},
}
_UNSET: Final = {
    "find": "",
    "by": _ANYBODY,
    "state": None,
    "since": None,
    "until": None,
    "no_sandbox": False,
}


def ask() -> Filter:
    """Draw the filters and return what they leave."""
    links.by_name(by=_NAMED_BY, state=_STATES)
    text_at, by_at, days_at = st.columns([1.4, 1, 2])
    text = text_at.text_input(
        "Name holds",
        key="find",
        bind="query-params",
        max_chars=SEARCH_LENGTH,
        placeholder="Prunus",
        icon=":material/search:",
        help="Looked for in the names that services and people gave.",
    )
    by = by_at.selectbox(
        "Named by",
        list(_NAMED_BY),
        format_func=lambda name: _NAMED_BY[name],
        key="by",
        bind="query-params",
    )
    with days_at, st.container(horizontal=True, wrap=False):
        since = _day("Identified from", "since")
        until = _day("Identified until", "until")
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        state = st.segmented_control(
            "Only those that are",
            list(_STATES),
            format_func=lambda name: _STATES[name],
            label_visibility="collapsed",
            key="state",
            bind="query-params",
        )
        no_sandbox = st.checkbox(
            "Leave out what the sandbox answered", key="no_sandbox", bind="query-params"
        )
    if since and until and since > until:
        st.caption(
            ":material/error: The first day is after the last: nothing can lie between them."
        )
    return Filter(
        text.strip() if text else "",
        None if by in {None, _ANYBODY} else by,
        {"verified": True, "unverified": False}.get(state or ""),
        None if since is None else midnight(since),
        None if until is None else midnight(until + dt.timedelta(days=1)),
        not no_sandbox,
    )


def clear() -> None:
    """Leave out no observation any more; for a button's callback."""
    for key, value in _UNSET.items():
        st.session_state[key] = value


def shown() -> int:
    """Return how many observations are wanted at once, as the address has it."""
    try:
        wanted = int(st.query_params.get(_SHOWN, PAGE))
    except ValueError:
        wanted = PAGE
    return min(max(PAGE, wanted), MOST)


def show_more() -> None:
    """Want a page more; for a button's callback."""
    st.query_params[_SHOWN] = str(min(shown() + PAGE, MOST))


def zone() -> dt.tzinfo:
    """Return the time zone that the browser tells, else UTC."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return dt.UTC


def midnight(day: dt.date) -> dt.datetime:
    """Return when a day begins for the person who looks, in UTC."""
    return dt.datetime.combine(day, dt.time(), zone()).astimezone(dt.UTC)


def _day(label: str, key: str) -> dt.date | None:
    day = st.date_input(label, None, key=key, bind="query-params")
    return day if isinstance(day, dt.date) else None
