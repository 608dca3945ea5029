"""Tables of *Operations*: small ones that a screen reader reads, and all of them as CSV."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from plantid_core.palette import begun
from plantid_core.web.download import table_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Row = dict[str, object]


def heading(text: str) -> None:
    """Draw a heading below the page's title."""
    st.html(f'<h2 class="pid-heading">{escape(text)}</h2>')


def table(caption: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Draw rows of texts and figures; the caption is for those who do not see the table."""
    if not rows:
        return
    head = "".join(f'<th scope="col">{escape(begun(name))}</th>' for name in rows[0])
    body = "".join(
        "<tr>" + "".join(_cell(value) for value in row.values()) + "</tr>" for row in rows
    )
    st.html(
        f'<table class="pid-figures" aria-label="{escape(caption)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def bar(share: float, finding: str, colour: str) -> str:
    """Return a bar; the finding is what it says."""
    width = max(0.0, min(100.0, share * 100))
    return (
        f'<div class="pid-bar" role="img" aria-label="{escape(finding)}">'
        f'<div style="width:{width:.0f}%;background:{colour}"></div></div>'
    )


def offer(name: str, rows: Callable[[], Sequence[Mapping[str, object]]], label: str) -> None:
    """Offer a table as CSV, made of what is so when it is asked for."""
    st.download_button(
        label,
        lambda: table_csv(pd.DataFrame([dict(row) for row in rows()])),
        f"{name}.csv",
        "text/csv",
        key=f"{name}-csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = str(value)
        known = {"error": "✕ error", "warning": "△ warning"}.get(text)
        if known is not None:
            return f'<td class="pid-{text}">{known}</td>'
        return f"<td>{escape(text)}</td>"
    return f'<td class="pid-number">{value:,}</td>'
