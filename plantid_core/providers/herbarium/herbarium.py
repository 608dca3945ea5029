"""A built herbarium: what it knows, how well, and from which photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plantid_core.plants import Taxon  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    import datetime as dt

    from plantid_core.providers.herbarium.calibration import Calibration
    from plantid_core.providers.herbarium.discriminant import Discriminant


@dataclass(frozen=True, slots=True)
class Entry:
    """A taxon and the number of its photos."""

    taxon: Taxon
    photos: int


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many photos of one plant were taken for another when they were left out."""

    shown: str
    taken_for: str
    photos: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the herbarium makes of its own photos, each named without having been seen.

    ``top1`` and ``top5`` are shares of ``judged`` photos: those whose plant has another one. ``low`` and
    ``high`` are Wilson's 95 % interval of ``top1``. None where no photo can be judged. ``left_out``
    tells whether one photo at a time was left out, or all of one source. ``lone`` is the number of
    plants with a single photo (or source). ``named`` is the share of the judged photos that get any
    name, ``strangers_named`` that of photos whose whole species was left out.
    """

    left_out: Literal["photo", "source"]
    judged: int
    lone: int
    top1: float | None = None
    top5: float | None = None
    low: float | None = None
    high: float | None = None
    named: float | None = None
    strangers_named: float | None = None
    confusions: tuple[Confusion, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Herbarium:
    """Everything that is kept of a herbarium.

    ``model`` identifies the image model; ``members`` are the sha256 of the sanitised photos.
    """

    entries: tuple[Entry, ...]
    discriminant: Discriminant
    calibration: Calibration
    figures: Figures
    members: frozenset[bytes]
    model: str
    made: dt.datetime

    @property
    def photos(self) -> int:
        """Return the number of photos."""
        return sum(entry.photos for entry in self.entries)

    def seen(self, sha256: str) -> bool:
        """Tell whether the sanitised photo of this digest (64 hex digits) is one of its own."""
        return bytes.fromhex(sha256) in self.members

    def about(self) -> dict[str, object]:
        """Return what is told of it: names, counts and figures, as JSON can hold them."""
        from dataclasses import asdict

        return {
            "made": self.made.isoformat(timespec="seconds"),
            "model": self.model,
            "photos": self.photos,
            "species": [
                {
                    "scientific_name": entry.taxon.scientific_name,
                    "rank": entry.taxon.rank,
                    "family": entry.taxon.family,
                    "photos": entry.photos,
                }
                for entry in self.entries
            ],
            "figures": asdict(self.figures),
        }
