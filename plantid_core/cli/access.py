"""What ``plantid token`` and ``plantid person`` share: the registry, opened without a workbench."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from plantid_core.access.registry import Registry
    from plantid_core.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]


@contextmanager
def opened() -> Iterator[tuple[Registry, Settings]]:
    """Give the registry and the settings in force; no service and no sandbox is needed for it."""
    from contextlib import closing

    from plantid_core import parts
    from plantid_core.settings import load_settings
    from plantid_core.store.hold import Hold

    settings = load_settings()
    with (
        closing(Hold(settings.data_dir)),
        closing(parts.make_database(settings)) as database,
        parts.make_registry(settings, database) as registry,
    ):
        yield registry, settings


def minute(time: dt.datetime | None) -> str:
    """Return a time as people read it, in UTC."""
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M}"


def stamp(time: dt.datetime | None) -> str | None:
    """Return a time as programs read it."""
    return None if time is None else time.isoformat()
