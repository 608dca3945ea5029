"""Observations such as a person keeps, for tests of what keeps them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from plantid_core.errors import HistoryUnavailable
from plantid_core.plants import (
    Answer,
    Care,
    Consensus,
    ConsensusEntry,
    Place,
    ReferenceImage,
    Suggestion,
    Taxon,
)
from plantid_core.store.history.values import Circumstances, Determination, KeptPhoto, Observed

if TYPE_CHECKING:
    from plantid_core.store.history.history import History
    from plantid_core.store.history.values import Action

DAY_ONE = dt.datetime(2025, 5, 1, 12, 0, 0, 123456, tzinfo=dt.UTC)
CHERRY = Taxon(
    "Prunus serrulata",
    "Lindl.",
    family="Rosaceae",
    genus="Prunus",
    common_names=("Japanese cherry", "Ōyama-zakura 🌸"),
    gbif_id=3022609,
    powo_id="urn:lsid:ipni.org:names:730241-1",
)
SUGGESTION = Suggestion(
    CHERRY,
    0.71,
    images=(ReferenceImage("https://example.org/1.jpg", "CC-BY", "A. Nyman"),),
    care=Care(watering="moderate", edible_parts=("flowers",)),
)


def answered(provider: str = "plantnet", name: str = "Prunus serrulata", **more: Any) -> Answer:  # noqa: ANN401
    """Return a service's answer that names one species."""
    named = replace(SUGGESTION, taxon=replace(CHERRY, scientific_name=name))
    fields = {"sandbox": False, "elapsed_ms": 320.5, "is_plant": 0.99, "remaining": 41} | more
    return Answer(provider, "ok", "upstream", suggestions=(named,), **fields)


def silent(provider: str = "plant_id") -> Answer:
    """Return the entry of a service that gave none."""
    why = {"code": "timeout", "message": "It did not answer.", "retry_after_s": 30.0}
    return Answer(provider, "unavailable", "upstream", False, 8000.0, error=why)  # type: ignore[arg-type]  # noqa: FBT003


def observed(id_: str = "one", owner: str = "ann", *, day: int = 0, **changes: Any) -> Observed:  # noqa: ANN401
    """Return an observation, made so many days after the first."""
    whole = Observed(
        id=id_,
        owner=owner,
        made_at=DAY_ONE + dt.timedelta(days=day),
        circumstances=Circumstances(
            dt.date(2025, 4, 30), Place(35.0116, 135.7681), 25.0, "Ann Nyman", "CC-BY-4.0"
        ),
        language="en",
        photos=(KeptPhoto(id_.rjust(64, "0"), "flower", 1500, 1000, "JPEG"),),
        answers=(answered(), silent()),
        consensus=Consensus((ConsensusEntry("Prunus serrulata", "species", 0.71, ("plantnet",)),)),
        rung="other",
    )
    return replace(whole, **changes)


def determined(
    id_: str = "first",
    action: Action = "confirmed",
    taxon: Taxon | None = CHERRY,
    **more: Any,  # noqa: ANN401
) -> Determination:
    """Return what a person decided on the first day."""
    return Determination(id_, DAY_ONE, "ann", action, taxon, **more)


def reason(history: History, id_: str = "two") -> str:
    """Return why an observation cannot be kept now."""
    with pytest.raises(HistoryUnavailable) as failed:
        history.add(observed(id_))
    assert str(failed.value).startswith("The database of observations")
    return failed.value.reason
