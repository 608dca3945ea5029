"""``plantid secret``: a strong key, for PLANTID_SECRET_KEY."""

from __future__ import annotations

import typer


def secret() -> None:
    """Print a strong key, for PLANTID_SECRET_KEY; it is kept nowhere."""
    from plantid_core.access.signing import new_key

    typer.echo(new_key())
