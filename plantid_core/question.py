"""What is asked about the photos of one plant, checked before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.errors import PlantIDError
from plantid_core.pipeline import pictures
from plantid_core.plants import ORGANS, Observation, Organ

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from plantid_core.plants import Place
    from plantid_core.upload import Photo


def question(
    photos: Sequence[Photo],
    organs: Sequence[Organ] | None,
    place: Place | None,
    date: dt.date | None,
    language: str,
) -> Observation:
    """Return the question; ``organs`` has one entry a photo (None: auto). Raises `PlantIDError`."""
    shown = _organs(organs, len(photos))
    return Observation(pictures(photos, shown), place, date, language)


def _organs(organs: Sequence[Organ] | None, count: int) -> list[Organ]:
    if not organs:
        return ["auto"] * count
    unknown = [organ for organ in organs if organ not in ORGANS]
    if unknown:
        raise PlantIDError(f"{unknown[0]!r} is no organ. Use one of: {', '.join(ORGANS)}.")
    if len(organs) != count:
        raise PlantIDError(f"{len(organs)} organs were given for {count} photos; give one a photo.")
    return list(organs)
