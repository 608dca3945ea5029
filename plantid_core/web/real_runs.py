"""Whether visitors may start real processes here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plantid_core.desk import Desk

_PRODUCTION = (
    "This app is in production: nothing is run for real for its visitors. Simulations are all here."
)
_UNKNOWN = "Sign in to run this for real. Simulations are all here."


def refusal(desk: Desk) -> str | None:
    """Return why nothing is run for real here; None where it may be."""
    if desk.may("lab.live"):
        return None
    return _PRODUCTION if desk.settings.production else _UNKNOWN
