"""What ``identify`` and ``compare`` have in common: photos of one plant, and what is known of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from plantid_core.cli import files
from plantid_core.errors import UploadRejected
from plantid_core.plants import Place
from plantid_core.upload.chain import inspect
from plantid_core.upload.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from plantid_core.plants import Organ, Outcome
    from plantid_core.upload.chain import Upload
    from plantid_core.workbench import Workbench

Photos = Annotated[list[Path], typer.Argument(help="One to five photos of one plant.")]
Organs = Annotated[
    list[str] | None,
    typer.Option(help="What each photo shows: auto, leaf, flower, fruit, bark; one a photo."),
]
Latitude = Annotated[float | None, typer.Option(min=-90, max=90, help="Latitude, degrees.")]
Longitude = Annotated[float | None, typer.Option(min=-180, max=180, help="Longitude, degrees.")]
Day = Annotated[
    dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day the photo was taken.")
]
Providers = Annotated[
    list[str] | None,
    typer.Option(help="plant_id, plantnet, offline, herbarium; all where not given."),
]
Language = Annotated[str, typer.Option(help="Language of the common names.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Ask the services anew.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON on stdout.")]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of the photos, as the command line gives it."""

    organs: Sequence[str] | None
    place: Place | None
    date: dt.date | None
    language: str

    @classmethod
    def given(
        cls,
        organs: Sequence[str] | None,
        latitude: float | None,
        longitude: float | None,
        date: dt.datetime | None,
        language: str,
    ) -> Self:
        """Return them; raises `typer.BadParameter` for half a place."""
        if (latitude is None) != (longitude is None):
            raise typer.BadParameter("a place needs both --lat and --lon")
        place = None if latitude is None or longitude is None else Place(latitude, longitude)
        return cls(organs, place, date.date() if date else None, language)

    def ask(
        self,
        workbench: Workbench,
        uploads: Sequence[Upload],
        *,
        providers: Sequence[str] | None,
        fresh: bool,
    ) -> Outcome:
        """Return what every provider says."""
        return workbench.identify(
            uploads,
            organs=cast("Sequence[Organ] | None", self.organs),
            place=self.place,
            date=self.date,
            providers=providers,
            language=self.language,
            fresh=fresh,
        )


def read(paths: Sequence[Path]) -> list[Upload]:
    """Return the files, judged by every gate that needs no decode; raises `UploadRejected`."""
    return [_read(path) for path in paths]


def _read(path: Path) -> Upload:
    policy = Policy()
    try:
        upload = files.read(path, policy)
        inspect(upload.data, upload.filename, policy)
    except UploadRejected as rejected:
        raise files.named(path, rejected) from None
    return upload
