"""Observations as they are kept, made for tests."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import replace

from plantid_core.compare.consensus import consensus
from plantid_core.plants import Answer, Place, Suggestion, Taxon
from plantid_core.store.history.values import (
    Circumstances,
    Determination,
    KeptPhoto,
    Observed,
)

CHERRY = Taxon("Prunus serrulata", "Lindl.", family="Rosaceae", genus="Prunus", gbif_id=3022609)
DAISY = Taxon("Leucanthemum vulgare", "Lam.", family="Asteraceae", genus="Leucanthemum")
SLIPPER = Taxon("Cypripedium calceolus", "L.", family="Orchidaceae", genus="Cypripedium")
NOON = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


def answer(provider: str, *taxa: Taxon, sandbox: bool = False, score: float = 0.8) -> Answer:
    """Return an answer that names these taxa, each with half the score of the one before."""
    suggestions = tuple(Suggestion(taxon, score / 2**rank) for rank, taxon in enumerate(taxa))
    status = "ok" if taxa else "no_match"
    return Answer(provider, status, "upstream", sandbox, 12.0, suggestions=suggestions)


def observed(*answers: Answer, **fields: object) -> Observed:
    """Return an observation with these answers, made on a May noon in Prague."""
    known = Circumstances(
        dt.date(2026, 4, 30), Place(50.08804, 14.42076), 25.0, "Ana Nováková", "CC-BY-4.0"
    )
    made = Observed(
        id=uuid.uuid4().hex,
        owner="local",
        made_at=NOON,
        circumstances=known,
        language="en",
        photos=(KeptPhoto("ab" * 32, "flower", 320, 240, "PNG"),),
        answers=answers,
        consensus=consensus(answers),
        rung="fresh",
    )
    return replace(made, **fields)  # type: ignore[arg-type]  # a test names them right


def determined(taxon: Taxon | None, **fields: object) -> Determination:
    """Return what a person decided the day after."""
    action = "rejected" if taxon is None else "changed"
    made = Determination(uuid.uuid4().hex, NOON + dt.timedelta(days=1), "Ben", action, taxon)
    return replace(made, **fields)  # type: ignore[arg-type]  # a test names them right
