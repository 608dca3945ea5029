"""A name as it is read, and the taxon it is brought to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from plantid_core.plants import Taxon

Level = Literal["species", "genus", "family"]
LEVELS: tuple[Level, ...] = ("species", "genus", "family")
Qualifier = Literal["sp.", "cf.", "aff."]
How = Literal["gbif", "accepted", "synonym", "as_given", "unparsed"]


@dataclass(frozen=True, slots=True)
class ParsedName:
    """The parts of a scientific name (ICN); absent ones are None.

    ``canonical`` has neither authorship nor hybrid sign; ``hybrid`` tells whether there was one (×,
    x or notho-). ``rank`` is lower case: species, genus, family, subspecies, variety, form, cultivar…
    """

    canonical: str
    rank: str
    genus: str | None = None
    epithet: str | None = None
    infraspecific_rank: str | None = None
    infraspecific_epithet: str | None = None
    cultivar: str | None = None
    authorship: str | None = None
    hybrid: bool = False
    qualifier: Qualifier | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The taxon that a name stands for, and how it was found.

    ``species`` is the accepted binomial without hybrid sign, lower case (None above species);
    ``genus`` and ``family`` are lower case too: the keys by which names are compared. Infraspecific
    names have their species' key.
    """

    scientific_name: str
    rank: str
    species: str | None
    genus: str | None
    family: str | None
    how: How

    def key(self, level: Level) -> str | None:
        """Return what equals for equal taxa at a level; None where the name is not that precise."""
        return {"species": self.species, "genus": self.genus, "family": self.family}[level]


class Reconciler(Protocol):
    """Whatever brings names together."""

    def reconcile(self, taxon: Taxon) -> Reconciled:
        """Return the accepted taxon; never raises: a text that is no name stands for itself."""
