"""``plantid identify``: one plant, one to five photos, every provider's answer."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import orjson
import typer

from plantid_core.cli import UNANSWERED
from plantid_core.errors import PlantIDError, UploadRejected
from plantid_core.plants import Place
from plantid_core.upload.chain import Upload, inspect, require_size
from plantid_core.upload.policy import Policy

if TYPE_CHECKING:
    from plantid_core.plants import Organ, Outcome


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
    if not path.exists():
        raise PlantIDError(f"{path}: there is no such file.")
    if not path.is_file():
        raise UploadRejected(
            "not_a_file",
            f"{path}: this is not a file. Name the photos themselves.",
            layer="name",
            detected="a directory" if path.is_dir() else "a special file",
        )
    try:
        require_size(path.stat().st_size, policy)
        with path.open("rb") as file:
            data = file.read(policy.max_bytes + 1)
        inspect(data, path.name, policy)
    except OSError as error:
        raise PlantIDError(f"{path}: {error.strerror}.") from error
    except UploadRejected as rejected:
        raise UploadRejected(
            rejected.code,
            f"{path.name}: {rejected}",
            layer=rejected.layer,
            limit=rejected.limit,
            value=rejected.value,
            detected=rejected.detected,
        ) from None
    return Upload(data, path.name)


def _show(outcome: Outcome) -> None:
    from plantid_core.cli.table import show

    show(outcome)
