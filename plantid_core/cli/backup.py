"""``plantid backup`` and ``plantid restore``: all that people keep, as one file."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.cli import REFUSED
from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]


def backup(
    out: Annotated[Path, typer.Argument(help="Where the backup goes (.tar.gz).")],
    *,
    as_json: AsJson = False,
) -> None:
    """Save observations, photos, people, names and herbarium into one file, while the app may run."""
    import datetime as dt

    from plantid_core.settings import load_settings
    from plantid_core.store.backup.write import write_backup
    from plantid_core.store.history.history import open_history
    from plantid_core.store.photos import PhotoStore

    settings = load_settings()
    if not settings.data_dir.is_dir():
        typer.echo(
            f"plantid: there is nothing to save: {settings.data_dir} is not there.", err=True
        )
        raise typer.Exit(REFUSED)
    photos = PhotoStore(settings.data_dir / "photos")
    with open_history(settings) as history, _progress() as progress:
        done = write_backup(
            out, settings.data_dir, history, photos, now=dt.datetime.now(dt.UTC), progress=progress
        )
    if as_json:
        told = {
            "out": str(out),
            "bytes": done.size_bytes,
            "observations": done.observations,
            "photos": done.photos,
            "people": done.people,
            "damaged_photos": done.damaged,
            "left_out": done.left_out,
        }
        typer.echo(orjson.dumps(told))
        return
    typer.echo(
        f"{out}: {done.size_bytes / 1e6:,.1f} MB, observations: {done.observations:,},"
        f" photos: {done.photos:,}, people: {done.people:,}."
    )
    for name, why in done.left_out.items():
        typer.echo(f"  not saved: {name} ({why})")
    for photo_id in done.damaged:
        typer.echo(f"  not saved: photo {photo_id}, which is damaged or lost")
    typer.echo("  not saved: tokens, which a restore must not bring back")
    typer.echo("  It holds exact places and photos: keep it where nobody else reads it.")


def restore(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file that backup made.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Move what is in the data directory aside.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back into an empty data directory; nothing is touched unless all of it is whole."""
    from plantid_core.settings import load_settings
    from plantid_core.store.backup.restore import restore_backup
    from plantid_core.store.history.history import open_history

    settings = load_settings()
    with open_history(settings) as history:
        try:
            done = restore_backup(source, settings.data_dir, history, force=force)
        except PlantIDError as error:
            typer.echo(f"plantid: nothing was restored. {error}", err=True)
            raise typer.Exit(REFUSED) from None
    if as_json:
        told = {
            "data_dir": str(settings.data_dir),
            "observations": done.observations,
            "photos": done.photos,
            "people": done.people,
            "moved_to": str(done.moved_to) if done.moved_to else None,
            "deactivations_unread": done.unsure,
        }
        typer.echo(orjson.dumps(told))
        return
    typer.echo(
        f"{settings.data_dir}: observations: {done.observations:,}, photos: {done.photos:,},"
        f" people: {done.people:,}."
    )
    if done.moved_to is not None:
        typer.echo(f"  What was there before is in {done.moved_to}.")
    if done.unsure:
        typer.echo(
            "  Who was deactivated since the backup could not be read there: look through"
            " `plantid person list`."
        )
    typer.echo("  Tokens are in no backup: make new ones with `plantid token create`.")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    if not sys.stderr.isatty():
        yield lambda _done, _of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = "Saving photos", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("")
        yield lambda done, of: bar.update(task, completed=done, total=of)
