"""*Your own trace*: an engineer's requests replayed through the chosen strategies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd
import streamlit as st

from plantid_core.errors import PlantIDError
from plantid_core.palette import strategy_title

if TYPE_CHECKING:
    from plantid_core.web.stampede_controls import Choice

_COLUMNS: Final = {
    "strategy": "strategy",
    "requests": "requests",
    "calls": "calls upstream",
    "calls_per_expiry": "calls per expiry",
    "stampede_largest": "largest stampede",
    "wait_p99_s": "99 % wait at most, s",
    "wait_longest_s": "longest wait, s",
    "stale_share": "stale, share",
    "failed_share": "failed, share",
}


def show(choice: Choice) -> None:
    """Draw the expander: a place for a file, and what each strategy would have made of it."""
    with st.expander("Your own trace", icon=":material/upload_file:"):
        st.caption(
            "A CSV with the columns *time* (seconds, or ISO 8601) and *key*, or this app's own log in JSON"
            " lines; it may be gzipped. It is replayed here with the settings on the left, and not kept."
        )
        file = st.file_uploader("Requests", type=["csv", "jsonl", "log", "gz"], key="trace")
        if file is None:
            return
        if not choice.strategies:
            st.info("Choose a strategy to replay it through.", icon=":material/checklist:")
            return
        try:
            with st.spinner("Replaying …", show_time=True):
                about, figures = _replayed(file.getvalue(), choice)
        except PlantIDError as error:
            st.error(f"{error} Mend the file, and drop it again.", icon=":material/error:")
            return
        st.dataframe(about, hide_index=True)
        st.dataframe(figures, hide_index=True)
        st.download_button(
            "Download figures", figures.to_csv(index=False), "replay.csv", "text/csv"
        )


@st.cache_data(max_entries=8, show_spinner=False)
def _replayed(data: bytes, choice: Choice) -> tuple[pd.DataFrame, pd.DataFrame]:
    from plantid_core.lab import trace

    requests = trace.read(data)
    rows = [
        trace.replay(requests, strategy, choice.workload, seed=choice.seed).summary()
        for strategy in choice.strategies
    ]
    figures = pd.concat(rows, ignore_index=True)[list(_COLUMNS)].rename(columns=_COLUMNS)
    figures["strategy"] = figures["strategy"].map(strategy_title)
    return trace.describe(requests), figures
