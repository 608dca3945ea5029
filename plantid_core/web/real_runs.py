"""Whether visitors may start real processes here."""

from __future__ import annotations

from plantid_core.settings import load_settings

_PRODUCTION = (
    "This app is in production: nothing is run for real for its visitors. Simulations are all here."
)


def refusal() -> str | None:
    """Return why nothing is run for real here; None where it may be."""
    return _PRODUCTION if load_settings().environment == "production" else None
