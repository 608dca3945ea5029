"""``plantid compare``: one plant, every provider's answer side by side under accepted names."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

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
    from plantid_core.compare.agreement import Agreement
    from plantid_core.compare.align import Table
    from plantid_core.plants import Outcome


def compare(  # noqa: PLR0913 - one argument a flag
    photos: Photos,
    *,
    organ: Organs = None,
    lat: Latitude = None,
    lon: Longitude = None,
    date: Day = None,
    provider: Providers = None,
    language: Language = "en",
    fresh: Fresh = False,
    as_json: AsJson = False,
) -> None:
    """Identify one plant, and lay the answers side by side under accepted names."""
    known = Circumstances.given(organ, lat, lon, date, language)
    uploads = read(photos)
    from plantid_core.compare.agreement import agreement
    from plantid_core.compare.align import align
    from plantid_core.workbench import open_workbench

    with open_workbench() as workbench:
        outcome = known.ask(workbench, uploads, providers=provider, fresh=fresh)
        table = align(outcome.answers, workbench.names, workbench.calibration)
        agreed = agreement(outcome.answers, workbench.names)
    if as_json:
        typer.echo(orjson.dumps(_json(outcome, table, agreed)))
    else:
        from plantid_core.cli.aligned import show

        show(outcome, table, agreed)
    if outcome.rung == "none":
        raise typer.Exit(UNANSWERED)


def _json(outcome: Outcome, table: Table, agreed: Agreement) -> dict[str, object]:
    return {
        "id": outcome.id,
        "photos": [asdict(photo) for photo in outcome.photos],
        "providers": [
            {"provider": answer.provider, "status": answer.status, "sandbox": answer.sandbox}
            for answer in outcome.answers
        ],
        "taxa": [row.to_dict() for row in table.rows],
        "agreement": agreed.to_dict(),
        "consensus": asdict(outcome.consensus),
        "sandbox": outcome.sandbox,
        "rung": outcome.rung,
    }
