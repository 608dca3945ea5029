"""``plantid sandbox``: the two services' emulators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sandbox(
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.")] = 0,
    faults: Annotated[
        Path | None,
        typer.Option(help="A JSON file of faults, as POST /_faults takes.", exists=True),
    ] = None,
    quota: Annotated[int | None, typer.Option(min=0, help="Requests a day, for both.")] = None,
) -> None:
    """Serve Plant.id's and Pl@ntNet's HTTP contracts on loopback, answered by image models here."""
    from plantid_core.sandbox.server import run
    from plantid_core.settings import load_settings

    run(port=port, faults=faults, quota=quota, cache_dir=load_settings().data_dir)
