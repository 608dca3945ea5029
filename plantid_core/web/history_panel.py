"""The page *History*: filters, table, files, and a kind word where there is nothing to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.store.history.values import Filter
from plantid_core.web import (
    door,
    history_delete,
    history_export,
    history_filters,
    history_map,
    history_rows,
    history_said,
)
from plantid_core.web.naming import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.desk import Desk
    from plantid_core.store.history.values import Observed, Page

_SEEN: Final = "history_seen"
_ALL_SHOWN: Final = "pick_all"
_ROW_PX: Final = 130
_SKELETONS: Final = 4

_INVITATION: Final = (
    "Sign in to keep a history. Until then nothing is kept of what you identify here; you can export"
    " every answer on *Identify*."
)

style = history_rows.style


def show(desk: Desk) -> None:
    """Draw the page below its title."""
    if door.shut(desk, "history.list", _INVITATION):
        return
    history_said.tell()
    wanted = history_filters.ask()
    waiting = st.empty()
    if _SEEN not in st.session_state:
        with waiting.container():
            for _ in range(_SKELETONS):
                st.skeleton(height=_ROW_PX)
    try:
        page = desk.collection.find(wanted, limit=history_filters.shown())
        kept = page.total if wanted == Filter() else desk.collection.find(limit=1).total
    except PlantIDError as error:
        waiting.empty()
        _failed(error)
        return
    st.session_state[_SEEN] = True
    waiting.empty()
    if page.total:
        _table(desk, wanted, page)
    else:
        _nothing(kept)
    if kept:
        _yours(desk, kept)
    _kept_for(desk)


def _failed(error: PlantIDError) -> None:
    st.error(
        f"Your history cannot be shown just now. {plain(str(error))} Identifying plants goes on without"
        " it.",
        icon=":material/error:",
    )
    st.button("Try again", key="history_again", icon=":material/refresh:")


def _nothing(kept: int) -> None:
    if kept:
        st.info(
            f"None of your {history_delete.so_many(kept, 'observation')} is left by these filters.",
            icon=":material/filter_alt_off:",
        )
        st.button("Show all of them", key="clear", on_click=history_filters.clear)
        return
    st.info(
        "Here you will see every plant that you identified, with its photo, the names, and what you made"
        " of them. Identify one, and leave *Keep in my history* ticked.",
        icon=":material/local_florist:",
    )
    st.page_link("pages/identify.py", label="Identify a plant", icon=":material/search:")


def _table(desk: Desk, wanted: Filter, page: Page) -> None:
    observations = page.observations
    lines = history_rows.lines(desk, observations)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.html(
            f'<div role="status"><b>{len(observations):,} of {page.total:,}</b></div>',
            width="content",
        )
        st.checkbox(
            "Select all shown", key=_ALL_SHOWN, on_change=_pick_all, args=(list(observations),)
        )
        chosen = [one for one in observations if st.session_state.get(history_rows.picked(one))]
        delete = st.button(
            "Delete selected…",
            key="delete_selected",
            icon=":material/delete:",
            help="With their photos and cached answers. You are asked first.",
        )
        history_export.filtered(desk, wanted, page.total)
    history_map.show(lines)
    for line in lines:
        history_rows.show(desk, line)
    _more(page)
    if delete and chosen:
        history_delete.some(desk, chosen)
    elif delete:
        history_said.say("Nothing is selected: tick the rows that are to go.", ":material/info:")


def _pick_all(observations: Sequence[Observed]) -> None:
    for observed in observations:
        st.session_state[history_rows.picked(observed)] = st.session_state[_ALL_SHOWN]


def _more(page: Page) -> None:
    if page.after is None:
        return
    if history_filters.shown() < history_filters.MOST:
        more = min(history_filters.PAGE, page.total - len(page.observations))
        st.button(
            f"Show {more} more",
            key="more",
            on_click=history_filters.show_more,
            icon=":material/expand_more:",
        )
    else:
        st.caption(
            f"These are the newest {history_filters.MOST}. Choose dates above to see older ones; an"
            " export has all of them."
        )


def _yours(desk: Desk, total: int) -> None:
    with st.expander("Your data", icon=":material/person:"):
        history_export.mine(desk, total)
        st.divider()
        st.markdown(
            "**Delete all that is mine**: observations, photos, determinations, batches, cached answers."
        )
        if st.button(
            "Delete all that is mine…", key="delete_everything", icon=":material/delete_forever:"
        ):
            history_delete.everything(desk, total)


def _kept_for(desk: Desk) -> None:
    days = desk.settings.history_keep_days
    how_long = (
        "until you delete them" if days is None else f"for {history_delete.so_many(days, 'day')}"
    )
    st.caption(f"Observations and their photos are kept on this machine {how_long}.")
