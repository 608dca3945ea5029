"""*Operations*: what `plantid check --deploy` finds, and the settings in force, without any secret."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st
from pydantic import SecretStr

from plantid_core import deploy
from plantid_core.settings import Settings
from plantid_core.web import serving
from plantid_core.web.operations_table import Row, offer, table

if TYPE_CHECKING:
    from plantid_core.desk import Desk


def findings(desk: Desk) -> None:
    """Draw what is amiss for others to depend on this, each with what to do."""
    desk.require("operations.see")
    found = deploy.findings(serving.facts(desk.settings))
    errors = sum(one.severity == "error" for one in found)
    if not found:
        st.success(
            f"Nothing is amiss: all {len(deploy.CHECKS)} checks are content.",
            icon=":material/verified:",
        )
        return
    sentence = f"{errors} to put right, {len(found) - errors} to think about, of {len(deploy.CHECKS)} checks."
    if desk.settings.production:
        st.warning(sentence, icon=":material/warning:")
    else:
        st.info(
            f"{sentence} This is a development environment, so that is to be expected.",
            icon=":material/info:",
        )
    st.caption("The same as *plantid check --deploy* finds; docs/operate.md has the whole story.")
    rows: list[Row] = [
        {
            "severity": one.severity,
            "id": one.id,
            "what is amiss": one.message,
            "what to do": one.hint,
        }
        for one in found
    ]
    table("What is amiss", rows)
    offer("findings", lambda: [asdict(one) for one in found], "Download findings (CSV)")


def settings(desk: Desk) -> None:
    """Draw every setting in force; of a secret, only whether it is set."""
    desk.require("operations.see")
    st.caption(
        "Read at the start, from the environment, files and secrets.toml. No secret is shown."
    )
    rows = rows_of(desk.settings)
    table("Settings in force", rows)
    offer("settings", lambda: rows, "Download settings (CSV)")


def rows_of(settings: Settings) -> list[Row]:
    """Return a row a setting; a secret's tells neither its value nor its length."""
    return [
        {
            "setting": f"PLANTID_{name.upper()}",
            "value": _shown(getattr(settings, name)),
            "from": "set" if name in settings.model_fields_set else "default",
        }
        for name in Settings.model_fields
    ]


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "set, not shown"
    if value is None or value == "":
        return "–"
    text = str(value)
    parts = urlsplit(text) if "://" in text else None
    if parts is not None and "@" in parts.netloc:
        # What stands before the host may be a password.
        return parts._replace(netloc=f"…@{parts.netloc.rpartition('@')[2]}").geturl()
    return text
