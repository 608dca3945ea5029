"""What came of a batch, on its page: the joint verdict of each photo, and the whole table to take away."""

from __future__ import annotations

import csv
from itertools import groupby
from typing import TYPE_CHECKING, Final

import streamlit as st

if TYPE_CHECKING:
    from pathlib import Path

    from plantid_core.web.batch_job import Batch

_SHOWN: Final = 200


def show(batch: Batch) -> None:
    """Draw the first photos' joint verdicts and the download, if there is a table yet."""
    if not batch.table.exists():
        return
    mark = "-sandbox" if batch.sandbox else ""
    st.download_button(
        "Download the table (CSV)",
        batch.table.read_bytes(),
        f"plants{mark}.csv",
        "text/csv",
        on_click="ignore",
        key="batch_table",
        icon=":material/download:",
    )
    found, more = _verdicts(batch.table)
    st.dataframe(
        found,
        hide_index=True,
        alt="Each photo's joint verdict, or why there is none",
        column_config={
            "photo": st.column_config.TextColumn("Photo", width="medium"),
            "plant": st.column_config.TextColumn("Plant", width="medium"),
            "score": st.column_config.ProgressColumn(
                "Joint score", format="percent", min_value=0.0, max_value=1.0
            ),
            "sandbox": st.column_config.CheckboxColumn("Sandbox", help="No botany."),
            "note": st.column_config.TextColumn("Why there is none", width="large"),
        },
    )
    if more:
        st.caption(f"The first {_SHOWN} photos. The table has them all, with every suggestion.")


def _verdicts(table: Path) -> tuple[list[dict[str, object]], bool]:
    """Return a line a photo, and whether there are more than are shown."""
    found: list[dict[str, object]] = []
    with table.open(encoding="utf-8", newline="") as file:
        for name, rows in groupby(csv.DictReader(file), key=lambda row: row["file"]):
            if len(found) == _SHOWN:
                return found, True
            told = list(rows)
            first = next((row for row in told if row["provider"] == "consensus"), told[0])
            score = float(first["score"]) if first["score"] else None
            plant = first["scientific_name"]
            why = "" if plant else first["reason"] or first["error"] or first["observation"]
            sandbox = first["sandbox"] == "True"
            found.append(
                {"photo": name, "plant": plant, "score": score, "sandbox": sandbox, "note": why}
            )
    return found, False
