"""``plantid identify``: one plant, one to five photos, every provider's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import orjson
import typer

from plantid_core.cli import UNANSWERED
from plantid_core.cli.question import (
    AsJson,
    Circumstances,
    Day,
    Fresh,
    Language,
    Latitude,
    Longitude,
    Organs,
    Photos,
    Providers,
    read,
)

if TYPE_CHECKING:
    from plantid_core.plants import Organ


def identify(  # noqa: PLR0913 - one argument a flag
    photos: Photos,
    *,
    organ: Organs = None,
    lat: Latitude = None,
    lon: Longitude = None,
    date: Day = None,
    provider: Providers = None,
    language: Language = "en",
    fresh: Fresh = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep photos and answers in your history.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Identify one plant from its photos."""
    known = Circumstances.given(organ, lat, lon, date, language)
    uploads = read(photos)
    from plantid_core.workbench import open_workbench

    with open_workbench() as workbench:
        outcome = known.ask(workbench, uploads, providers=provider, fresh=fresh)
        if keep and outcome.rung != "none":
            workbench.keep(
                outcome,
                uploads,
                organs=cast("list[Organ] | None", organ),
                place=known.place,
                date=known.date,
                language=language,
            )
    if as_json:
        typer.echo(orjson.dumps(outcome.to_dict()))
    else:
        from plantid_core.cli.table import show

        show(outcome)
    if outcome.rung == "none":
        raise typer.Exit(UNANSWERED)
