"""An observation as it is kept: photos, answers, and the determinations that followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import datetime as dt

    from plantid_core.plants import Answer, Consensus, Organ, Place, Rung, Taxon

# Who owns what is made where nobody signs in.
LOCAL_OWNER = "local"

Action = Literal["confirmed", "changed", "rejected"]


@dataclass(frozen=True, slots=True)
class KeptPhoto:
    """One photo of an observation; ``photo_id`` is the sanitised JPEG's sha256, as in `PhotoStore`."""

    photo_id: str
    organ: Organ
    width: int
    height: int
    source_format: str


@dataclass(frozen=True, slots=True)
class Determination:
    """What a person decided. Determinations are added, never altered: the last one stands.

    ``confirmed`` takes a suggestion as it was made, ``changed`` names another taxon, ``rejected``
    says that the suggestions are wrong (no taxon). ``provider`` and ``score`` are those of the
    suggestion confirmed ("consensus" where the joint ranking's was). ``sandbox`` marks one that
    rests on a sandbox's answer. ``made_at`` is aware, UTC.
    """

    id: str
    made_at: dt.datetime
    made_by: str
    action: Action
    taxon: Taxon | None = None
    provider: str | None = None
    score: float | None = None
    sandbox: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Where, when and by whom a plant was seen; ``uncertainty_m`` is the place's radius in metres.

    ``licence`` is an SPDX name or an address, as the person chose it; empty: all rights reserved.
    """

    observed_on: dt.date | None = None
    place: Place | None = None
    uncertainty_m: float | None = None
    recorded_by: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """One kept observation of an owner's, whole; ``determinations`` oldest first. Times are UTC."""

    id: str
    owner: str
    made_at: dt.datetime
    circumstances: Circumstances
    language: str
    photos: tuple[KeptPhoto, ...]
    answers: tuple[Answer, ...]
    consensus: Consensus
    rung: Rung
    determinations: tuple[Determination, ...] = ()

    @property
    def determination(self) -> Determination | None:
        """Return the one that stands."""
        return self.determinations[-1] if self.determinations else None

    @property
    def sandbox(self) -> bool:
        """Tell whether any answer came from an emulator."""
        return any(answer.sandbox for answer in self.answers)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which observations are wanted; every field left out allows all.

    ``text`` is looked for in the names (suggested first, or determined), any case. ``verified``: True
    for those with a standing confirmation or correction, False for those without. ``since`` and
    ``until`` bound ``made_at`` (until is excluded). ``sandbox`` False leaves out observations that a
    sandbox answered.
    """

    text: str = ""
    provider: str | None = None
    verified: bool | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    sandbox: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """Observations, newest first; ``after`` is what to ask the next page with, None at the end."""

    observations: tuple[Observed, ...]
    total: int
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a deletion took from the database, for the photos' store and the cache to follow.

    ``photo_ids`` are those that no observation of the owner's needs any more; ``cache_keys`` are
    where the deleted answers may still be cached.
    """

    observations: int
    photo_ids: tuple[str, ...] = ()
    cache_keys: tuple[str, ...] = ()
