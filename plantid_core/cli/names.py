"""``plantid names``: load a checklist, and see how a name is read and what it stands for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from plantid_core.errors import NameUnparsable
from plantid_core.plants import Taxon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.compare.names.load import Tell
    from plantid_core.compare.names.reconcile import Names
    from plantid_core.compare.names.values import ParsedName, Reconciled

app = typer.Typer(help="Scientific names: load a checklist, look one up.", no_args_is_help=True)

_STOPPED = 130
_HOW = {
    "accepted": "an accepted name",
    "synonym": "a synonym",
    "as_given": "in no table: it stands for itself",
    "unparsed": "not read as a name: it stands for itself",
    "gbif": "found by its GBIF id",
}


@app.command()
def load(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="wcvp_names.csv, GBIF's simple.txt or Taxon.tsv; plain, gzipped or zipped.",
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Load a checklist of names in place of the one loaded before; exit 3 if it is none."""
    from plantid_core.compare.names.load import load as load_names
    from plantid_core.settings import load_settings

    data_dir = load_settings().data_dir
    try:
        with _progress() as tell:
            loading = load_names(path, data_dir, tell)
    except KeyboardInterrupt:
        typer.echo("plantid: stopped; the names loaded before are still there.", err=True)
        raise typer.Exit(_STOPPED) from None
    if as_json:
        typer.echo(orjson.dumps({"file": str(path), **loading.to_dict()}))
        return
    typer.echo(
        f"{loading.names:,} names of plants, {loading.synonyms:,} of them synonyms, are loaded"
        f" from {path.name}; {loading.skipped:,} other rows were passed over."
    )


@app.command()
def show(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Each name in quotes.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line a name.")] = False,
) -> None:
    """Show the parts of each name, and the accepted taxon it stands for."""
    from plantid_core.compare.names.reconcile import open_names
    from plantid_core.settings import load_settings

    with open_names(load_settings().data_dir) as known:
        for name in names:
            _show(name, known, as_json=as_json)


def _show(name: str, known: Names, *, as_json: bool) -> None:
    from plantid_core.compare.names.parse import parse

    found = known.reconcile(Taxon(name))
    try:
        parsed, reason = parse(name), ""
    except NameUnparsable as error:
        parsed, reason = None, str(error)
    if as_json:
        parts = asdict(parsed) if parsed else None
        typer.echo(orjson.dumps({"name": name, "parsed": parts, "reconciled": asdict(found)}))
        return
    from rich.console import Console
    from rich.text import Text

    text = Text()
    text.append(found.scientific_name, style="bold italic")
    text.append(f"  {found.rank} · {_HOW[found.how]}\n")
    if parsed:
        text.append(_line("read as", _parts(parsed)))
    else:
        text.append(_line("refused", reason))
    text.append(_line("compared as", _keys(found)))
    Console(highlight=False).print(text, end="", soft_wrap=True)


def _line(title: str, value: str) -> str:
    return f"  {title:<12} {value}\n"


def _parts(parsed: ParsedName) -> str:
    parts = {
        key.replace("_", " "): value for key, value in asdict(parsed).items() if value is not None
    }
    parts["hybrid"] = "yes" if parts.pop("hybrid") else None
    return " · ".join(f"{key} {value}" for key, value in parts.items() if value)


def _keys(found: Reconciled) -> str:
    keys = (("species", found.species), ("genus", found.genus), ("family", found.family))
    return " · ".join(f"{level} {key or '–'}" for level, key in keys)


@contextmanager
def _progress() -> Iterator[Tell]:
    """Draw a bar on stderr, where that is a terminal, as the file is read."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TaskProgressColumn(),
        BarColumn(),
        TextColumn("{task.fields[names]:,} names, {task.fields[rate]:,.0f} a second"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None, names=0, rate=0.0)

        def tell(done: int, total: int, names: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = names / elapsed if elapsed else 0.0
            bar.update(task, completed=done, total=total, names=names, rate=rate)

        yield tell
