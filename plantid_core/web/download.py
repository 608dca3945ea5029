"""An outcome, a table and a chart as files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pandas as pd
import streamlit as st

from plantid_core.export import tidy
from plantid_core.export.observations import harmless
from plantid_core.lab.charts import ChartNotExported, png

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import plotly.graph_objects as go

    from plantid_core.desk import Desk
    from plantid_core.plants import Outcome


def as_json(outcome: Outcome) -> bytes:
    """Return the same JSON that the API and the command line give."""
    return orjson.dumps(outcome.to_dict(), option=orjson.OPT_INDENT_2)


def as_csv(outcome: Outcome) -> bytes:
    """Return the tidy table of the outcome's answers."""
    return table_csv(pd.DataFrame(tidy.rows(outcome.answers)).astype(tidy.WHOLE))


def table_csv(table: pd.DataFrame) -> bytes:
    """Return a table as CSV in which no spreadsheet finds a formula."""
    return table.map(harmless).to_csv(index=False).encode()


def asked_for(sandbox: bool) -> bool:  # noqa: FBT001 - what it is asked about
    """Ask, where a sandbox answered, whether its answers are to be in files; they stay marked there."""
    return sandbox and st.checkbox(
        "With the sandbox's answers, marked",
        key="export_sandbox",
        help="The sandbox knows no botany: without this tick its answers are in no file.",
    )


def buttons(desk: Desk, outcome: Outcome) -> None:
    """Offer both files, without the sandbox's answers unless they are asked for."""
    wanted = asked_for(outcome.sandbox)
    if outcome.sandbox and not wanted:
        outcome = _without_sandbox(desk, outcome)
        if not outcome.answers:
            st.caption("Only the sandbox answered, so that there is nothing else to download.")
            return
    mark = "-sandbox" if outcome.sandbox else ""
    for kind, made in (("CSV", as_csv), ("JSON", as_json)):
        st.download_button(
            f"Download {kind}",
            made(outcome),
            f"plant{mark}.{kind.lower()}",
            "text/csv" if kind == "CSV" else "application/json",
            # The same button when its file changes: else the old one stands beside it for a moment.
            key=f"download_{kind.lower()}",
            on_click="ignore",
        )


def _without_sandbox(desk: Desk, outcome: Outcome) -> Outcome:
    answers = tuple(answer for answer in outcome.answers if not answer.sandbox)
    return replace(outcome, answers=answers, consensus=desk.joint(answers))


def chart(name: str, rows: Sequence[Mapping[str, object]], figure: go.Figure) -> None:
    """Offer a chart's figures as CSV, and the chart as PNG once it is asked for."""
    with st.container(horizontal=True):
        st.download_button(
            "Download CSV",
            table_csv(pd.DataFrame(rows)),
            f"{name}.csv",
            "text/csv",
            key=f"{name}-csv",
            on_click="ignore",
        )
        if st.button("Draw PNG", key=f"{name}-draw"):
            _drawn(name, figure)


def _drawn(name: str, figure: go.Figure) -> None:
    try:
        with st.spinner("Drawing …", show_time=True):
            picture = png(figure)
    except ChartNotExported as error:
        st.warning(str(error), icon=":material/image_not_supported:")
        return
    st.download_button(
        "Download PNG",
        picture,
        f"{name}.png",
        "image/png",
        key=f"{name}-png",
        on_click="ignore",
    )
