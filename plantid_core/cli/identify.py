"""``plantid identify``: one plant, one to five photos, every provider's answer."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import orjson
import typer

from plantid_core.cli import UNANSWERED, files
from plantid_core.errors import UploadRejected
from plantid_core.plants import Place
from plantid_core.upload.chain import inspect
from plantid_core.upload.policy import Policy

if TYPE_CHECKING:
    from plantid_core.plants import Organ, Outcome
    from plantid_core.upload.chain import Upload


def identify(  # noqa: PLR0913 - one argument a flag
    photos: Annotated[list[Path], typer.Argument(help="One to five photos of one plant.")],
    *,
    organ: Annotated[
        list[str] | None,
        typer.Option(help="What each photo shows: auto, leaf, flower, fruit, bark; one a photo."),
    ] = None,
    lat: Annotated[float | None, typer.Option(min=-90, max=90, help="Latitude, degrees.")] = None,
    lon: Annotated[
        float | None, typer.Option(min=-180, max=180, help="Longitude, degrees.")
    ] = None,
    date: Annotated[
        dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day the photo was taken.")
    ] = None,
    provider: Annotated[
        list[str] | None, typer.Option(help="plant_id, plantnet, offline; all where not given.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the common names.")] = "en",
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask the services anew.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")] = False,
) -> None:
    """Identify one plant from its photos."""
    if (lat is None) != (lon is None):
        raise typer.BadParameter("a place needs both --lat and --lon")
    uploads = [_read(path) for path in photos]
    from plantid_core.workbench import open_workbench

    with open_workbench() as workbench:
        outcome = workbench.identify(
            uploads,
            organs=cast("list[Organ] | None", organ),
            place=None if lat is None or lon is None else Place(lat, lon),
            date=date.date() if date else None,
            providers=provider,
            language=language,
            fresh=fresh,
        )
    if as_json:
        typer.echo(orjson.dumps(outcome.to_dict()))
    else:
        _show(outcome)
    if outcome.rung == "none":
        raise typer.Exit(UNANSWERED)


def _read(path: Path) -> Upload:
    """Return the file, judged by every gate that needs no decode; raises `UploadRejected`."""
    policy = Policy()
    try:
        upload = files.read(path, policy)
        inspect(upload.data, upload.filename, policy)
    except UploadRejected as rejected:
        raise files.named(path, rejected) from None
    return upload


def _show(outcome: Outcome) -> None:
    from plantid_core.cli.table import show

    show(outcome)
