"""``plantid herbarium``: a provider of your own, learned from labelled photos on this machine."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.cli import REFUSED
from plantid_core.errors import HerbariumUnusable
from plantid_core.palette import so_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.providers.herbarium.herbarium import Herbarium
    from plantid_core.providers.herbarium.specimen import Built, Progress

app = typer.Typer(
    help="Build a local herbarium from labelled photos: identification with nothing sent.",
    no_args_is_help=True,
)

_INTERRUPTED = 130
_REFUSED_SHOWN, _SPECIES_SHOWN, _CONFUSED_SHOWN = 10, 30, 5
_REASONS = frozenset({"missing", "damaged", "foreign", "newer", "model", "empty"})

AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]


@app.command()
def build(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR|CSV",
            help="Folders named for species, or a table with the columns file and scientific_name.",
        ),
    ],
    *,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="Regular expression: photos whose names match alike show one plant, or are copies"
            " of one picture, and are left out together when the herbarium is tried."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Learn from labelled photos; a second time only what is new is looked at.

    A photo that is refused is listed, and the rest goes on. Ctrl-C keeps what has been looked at.
    """
    from plantid_core.compare.names.reconcile import open_names
    from plantid_core.compare.specimens import specimens
    from plantid_core.providers.herbarium.build import build as build_herbarium
    from plantid_core.settings import load_settings

    data_dir = load_settings().data_dir
    with open_names(data_dir) as names:
        photos = specimens(source, names, group_by)
    try:
        with _progress(len(photos)) as tell:
            built = build_herbarium(photos, data_dir, tell=tell)
    except KeyboardInterrupt:
        typer.echo(
            "plantid: Stopped. What has been looked at is kept: the same command goes on from there.",
            err=True,
        )
        raise typer.Exit(_INTERRUPTED) from None
    except HerbariumUnusable as error:
        _stop(error)
    if built is None:
        return
    if as_json:
        typer.echo(orjson.dumps(_told(built)))
    else:
        _show_built(built)


@app.command()
def show(*, as_json: AsJson = False) -> None:
    """Say what the local herbarium knows, and how well."""
    from plantid_core.providers.herbarium import file
    from plantid_core.providers.herbarium.place import path
    from plantid_core.settings import load_settings

    data_dir = load_settings().data_dir
    try:
        herbarium = file.load(data_dir)
    except HerbariumUnusable as error:
        _stop(error)
    size = path(data_dir).stat().st_size
    if as_json:
        typer.echo(orjson.dumps({**herbarium.about(), "bytes": size}))
        return
    typer.echo(f"Made on {herbarium.made:%Y-%m-%d}, {size / 1e6:.1f} MB.")
    _show(herbarium)


@app.command()
def forget(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove the local herbarium, and what was kept of its photos; the photos themselves stay."""
    from plantid_core.providers.herbarium import file
    from plantid_core.settings import load_settings

    if not yes:
        typer.confirm("Remove the local herbarium? Your photos stay where they are.", abort=True)
    try:
        found = file.forget(load_settings().data_dir)
    except HerbariumUnusable as error:
        _stop(error)
    if as_json:
        typer.echo(orjson.dumps({"forgotten": found}))
    else:
        typer.echo("The local herbarium is gone." if found else "There was no local herbarium.")


def _stop(error: HerbariumUnusable) -> None:
    if error.reason not in _REASONS:
        raise error
    typer.echo(f"plantid: {error}", err=True)
    raise typer.Exit(REFUSED) from None


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Progress], None]]:
    """Draw a bar on stderr, where that is a terminal, with rate and time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("Looking at photos"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, rate="")

        def tell(now: Progress) -> None:
            rate = f"{now.done / now.elapsed_s:,.0f} photos/s" if now.elapsed_s else ""
            bar.update(task, completed=now.done, rate=rate)

        yield tell


def _told(built: Built) -> dict[str, object]:
    return {
        **built.herbarium.about(),
        "embedded": built.embedded,
        "reused": built.reused,
        "refused": [
            {"file": one.file, "code": one.code, "message": one.message} for one in built.refused
        ],
        "elapsed_s": round(built.elapsed_s, 3),
        "photos_per_s": round((built.embedded + built.reused) / built.elapsed_s, 1),
    }


def _show_built(built: Built) -> None:
    for one in built.refused[:_REFUSED_SHOWN]:
        typer.echo(f"left out  {one.file}: {one.message} [{one.code}]")
    if (more := len(built.refused) - _REFUSED_SHOWN) > 0:
        typer.echo(f"left out  and {more:,} more; --json lists all")
    rate = (built.embedded + built.reused) / built.elapsed_s
    typer.echo(
        f"{so_many(built.embedded)} looked at, {built.reused:,} known from before,"
        f" {len(built.refused):,} left out, in {built.elapsed_s:.1f} s ({rate:,.0f} photos/s)."
    )
    _show(built.herbarium)


def _show(herbarium: Herbarium) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from plantid_core.providers.herbarium.sentence import findings

    console = Console()
    for sentence in findings(herbarium):
        console.print(escape(sentence), highlight=False)
    table = Table("Plant", "Family", "Photos", title="Local herbarium")
    table.columns[2].justify = "right"
    largest = sorted(herbarium.entries, key=lambda entry: -entry.photos)
    for entry in largest[:_SPECIES_SHOWN]:
        name = f"[italic]{escape(entry.taxon.scientific_name)}[/italic]"
        table.add_row(name, entry.taxon.family or "–", f"{entry.photos:,}")
    if len(largest) > _SPECIES_SHOWN:
        table.caption = f"and {len(largest) - _SPECIES_SHOWN:,} more"
    console.print(table)
    for pair in herbarium.figures.confusions[:_CONFUSED_SHOWN]:
        console.print(
            f"[italic]{escape(pair.shown)}[/italic] was taken for"
            f" [italic]{escape(pair.taken_for)}[/italic] {pair.photos}×",
            highlight=False,
        )
