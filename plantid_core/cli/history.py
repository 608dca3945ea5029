"""``plantid history``: what is kept, given out as files, and deleted."""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import orjson
import typer

from plantid_core.batch import kept
from plantid_core.cli import REFUSED, USAGE
from plantid_core.errors import NothingToExport, ObservationNotFound
from plantid_core.palette import so_many
from plantid_core.store.history.values import LOCAL_OWNER, Filter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.collection import Collection, Deleted
    from plantid_core.export.release import Exported
    from plantid_core.parts import Closable
    from plantid_core.store.history.values import Observed, Page

app = typer.Typer(
    help="List, export and delete the observations that are kept.", no_args_is_help=True
)

Text = Annotated[str, typer.Option(help="Only those whose name holds this.")]
Provider = Annotated[str | None, typer.Option(help="Only those that this provider named.")]
Verified = Annotated[
    bool | None,
    typer.Option("--verified/--unverified", help="Only those that a person has named, or not."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]
_ID_LENGTH = 32

Out = Annotated[Path, typer.Option("-o", "--out", help="Where the file goes.")]


@app.command("list")
def list_(
    *,
    text: Text = "",
    provider: Provider = None,
    verified: Verified = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many at most.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on where the last list ended.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what is kept, newest first."""
    wanted = Filter(text, provider, verified)
    with _collection() as collection:
        page = collection.find(LOCAL_OWNER, wanted, limit=limit, after=after)
    if as_json:
        from plantid_core.export.as_json import as_json as plain

        told = [plain(observed) for observed in page.observations]
        typer.echo(orjson.dumps({"total": page.total, "observations": told, "after": page.after}))
    else:
        _show(page)


@app.command()
def export(  # noqa: PLR0913 - one argument a flag
    *,
    out: Out,
    file_format: Annotated[
        Literal["csv", "dwca"],
        typer.Option("--format", help="A table, or a Darwin Core Archive (ZIP)."),
    ],
    include_sandbox: Annotated[
        bool,
        typer.Option("--include-sandbox", help="With the sandbox's answers, marked: no botany."),
    ] = False,
    photos: Annotated[
        bool, typer.Option("--photos", help="With the photos, in a Darwin Core Archive.")
    ] = False,
    text: Text = "",
    provider: Provider = None,
    verified: Verified = None,
    as_json: AsJson = False,
) -> None:
    """Write the observations into a file for others; places of sensitive plants are not exact."""
    if photos and file_format == "csv":
        raise typer.BadParameter("a table has no room for --photos: use --format dwca")
    with _collection() as collection:
        try:
            path, done = collection.export(
                LOCAL_OWNER,
                out,
                file_format,
                wanted=Filter(text, provider, verified),
                include_sandbox=include_sandbox,
                with_photos=photos,
            )
        except NothingToExport as nothing:
            typer.echo(f"plantid: {nothing}", err=True)
            raise typer.Exit(REFUSED) from None
    if as_json:
        typer.echo(orjson.dumps({"out": str(path), **_counts(done)}))
        return
    typer.echo(f"{path}: {so_many(done.observations, 'observation')}, {so_many(done.rows, 'row')}.")
    for reason, count in done.left_out.most_common():
        typer.echo(f"  left out: {count:,}, since {reason}")
    if done.generalised:
        typer.echo(f"  places not told exactly, of sensitive plants: {done.generalised:,}")
    if done.photos_missing:
        typer.echo(f"  photos that are kept no more: {done.photos_missing:,}")


@app.command()
def mine(*, out: Out, as_json: AsJson = False) -> None:
    """Write all that is kept of you, exactly as it is, into one ZIP for yourself."""
    with _collection() as collection:
        done = collection.export_mine(LOCAL_OWNER, out)
    if as_json:
        typer.echo(orjson.dumps({"out": str(out), **_counts(done)}))
    else:
        typer.echo(
            f"{out}: {so_many(done.observations, 'observation')}, with exact places and photos."
        )


@app.command()
def delete(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="What goes.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that is kept of you.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete observations with their photos and cached answers; nothing brings them back."""
    named = list(dict.fromkeys(ids or ()))
    if bool(named) == everything:
        raise typer.BadParameter("name the observations to delete, or --all")
    with _collection(cached=True) as collection:
        if named:
            _require_kept(collection, named)
        what = so_many(len(named), "observation") if named else "everything that is kept of you"
        if not yes:
            _confirm(f"Delete {what}, with photos? Nothing brings it back.")
        gone = (
            collection.forget(LOCAL_OWNER, named) if named else collection.forget_all(LOCAL_OWNER)
        )
    if everything:
        from plantid_core.settings import load_settings

        kept.forget(load_settings().data_dir)
    _tell(gone, as_json=as_json)


def _require_kept(collection: Collection, ids: list[str]) -> None:
    unknown = []
    for id_ in ids:
        try:
            collection.get(LOCAL_OWNER, id_)
        except ObservationNotFound:
            unknown.append(id_)
    if unknown:
        message = f"plantid: nothing was deleted, for {unknown[0]!r} is not kept."
        typer.echo(f"{message} See plantid history list.", err=True)
        raise typer.Exit(REFUSED)


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        typer.echo("plantid: nothing was deleted: say --yes, where nobody can be asked.", err=True)
        raise typer.Exit(USAGE)
    if not typer.confirm(question, err=True):
        typer.echo("Nothing was deleted.", err=True)
        raise typer.Exit


def _tell(gone: Deleted, *, as_json: bool) -> None:
    if as_json:
        told = {
            "observations": gone.observations,
            "photos": gone.photos,
            "still_cached": gone.still_cached,
        }
        typer.echo(orjson.dumps(told))
        return
    typer.echo(f"Deleted: {so_many(gone.observations, 'observation')}, {so_many(gone.photos)}.")
    if gone.still_cached:
        typer.echo(
            f"{so_many(gone.still_cached, 'answer')} may be cached still, for Redis could not be reached;"
            " what is cached expires by itself."
        )


@contextmanager
def _collection(*, cached: bool = False) -> Iterator[Collection]:
    """Give the collection, without a workbench: no service and no sandbox is needed for it.

    ``cached`` gives it the shared cache, to be cleaned of what is deleted.
    """
    from plantid_core import parts
    from plantid_core.compare.calibration import load
    from plantid_core.compare.names.reconcile import open_names
    from plantid_core.resilience.cache import Cache
    from plantid_core.resilience.link import Address
    from plantid_core.settings import load_settings
    from plantid_core.store.hold import Hold

    settings = load_settings()
    with ExitStack() as stack:
        owned: list[Closable] = [Hold(settings.data_dir)]
        stack.callback(_close, owned)
        client = parts.store(settings, owned) if cached else None
        address = Address.of(client) if client is not None else None
        owned.append(cache := Cache(address, parts.policy(settings)))
        owned.append(names := open_names(settings.data_dir))
        collection = parts.make_collection(settings, cache, names, load(settings.data_dir))
        owned.append(collection)
        yield collection


def _close(owned: list[Closable]) -> None:
    for part in reversed(owned):
        part.close()


def _counts(done: Exported) -> dict[str, object]:
    return {
        "observations": done.observations,
        "rows": done.rows,
        "left_out": dict(done.left_out),
        "generalised": done.generalised,
        "photos_missing": done.photos_missing,
    }


def _show(page: Page) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not page.observations:
        console.print("Nothing is kept here. plantid identify --keep PHOTO keeps what it finds.")
        return
    table = Table("When", "Name", "Named by")
    table.add_column("Id", no_wrap=True, min_width=_ID_LENGTH)  # it is there to be copied
    for observed in page.observations:
        name, who = _named(observed)
        table.add_row(f"{observed.made_at:%Y-%m-%d %H:%M}", name, who, observed.id)
    console.print(table)
    more = f" Go on with --after {page.after}" if page.after else ""
    console.print(f"{len(page.observations):,} of {page.total:,}.{more}", highlight=False)


def _named(observed: Observed) -> tuple[str, str]:
    from rich.markup import escape

    from plantid_core.palette import TITLES

    decided = observed.determination
    if decided is not None:
        name = f"[italic]{escape(decided.taxon.scientific_name)}[/italic]" if decided.taxon else "—"
        mark = " · SANDBOX" if decided.sandbox else ""
        return name, f"{escape(decided.made_by)} ({decided.action}){mark}"
    if not observed.consensus.suggestions:
        return "no name", ""
    first = observed.consensus.suggestions[0]
    mark = " · SANDBOX" if observed.sandbox else ""
    who = ", ".join(TITLES.get(provider, provider) for provider in first.providers)
    return f"[italic]{escape(first.scientific_name)}[/italic]", f"{who}{mark}"
