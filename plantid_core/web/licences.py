"""Under which licence a person's photos and records may be used by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LICENCES: Final = {
    "": "All rights reserved",
    "CC0-1.0": "CC0: no rights reserved",
    "CC-BY-4.0": "CC BY: with your name",
    "CC-BY-NC-4.0": "CC BY-NC: with your name, not for trade",
}


def choose(at: DeltaGenerator, licence: str, key: str) -> str:
    """Draw the choice at a place, set to a licence; return the licence chosen."""
    chosen = at.selectbox(
        "Licence of your photos",
        list(dict.fromkeys([licence, *LICENCES])),
        format_func=lambda code: LICENCES.get(code, code),
        key=key,
    )
    return chosen or ""
