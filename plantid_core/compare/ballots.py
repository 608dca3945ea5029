"""Each answer as a list of taxa, so that one plant under two names is one entry.

Infraspecific names stand for their species; a genus or a family that is named alone stands for
itself. A provider that names one taxon twice is heard once, at the better rank.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plantid_core.compare.names.values import Level, Reconciled, Reconciler
    from plantid_core.plants import Answer

_SUREST = {"gbif": 0, "accepted": 1, "synonym": 2, "as_given": 3, "unparsed": 4}


@dataclass(frozen=True, slots=True)
class Vote:
    """A taxon as one provider named it: at which rank, from 1, with which score, in which words."""

    taxon: Reconciled
    rank: int
    score: float
    given: str


@dataclass(frozen=True, slots=True)
class Ballot:
    """One provider's taxa by key, the best rank first; empty where it named no plant."""

    provider: str
    sandbox: bool
    votes: Mapping[str, Vote]

    @property
    def top(self) -> Reconciled:
        """Return the taxon named first; raises `StopIteration` where none is named."""
        return next(iter(self.votes.values())).taxon

    def keys(self, level: Level) -> tuple[str, ...]:
        """Return the different taxa at a level, best first; a name less precise than that is left out."""
        keys = (vote.taxon.key(level) for vote in self.votes.values())
        return tuple(dict.fromkeys(key for key in keys if key is not None))


def ballots(answers: Sequence[Answer], names: Reconciler) -> tuple[Ballot, ...]:
    """Return one ballot an answer, in order."""
    return tuple(_ballot(answer, names) for answer in answers)


def _ballot(answer: Answer, names: Reconciler) -> Ballot:
    votes: dict[str, Vote] = {}
    if answer.status == "ok":
        for rank, suggestion in enumerate(answer.suggestions, start=1):
            taxon = names.reconcile(suggestion.taxon)
            key = key_of(taxon)
            if key not in votes:
                given = suggestion.taxon.scientific_name
                votes[key] = Vote(taxon, rank, unit(suggestion.score), given)
    return Ballot(answer.provider, answer.sandbox, votes)


def key_of(taxon: Reconciled) -> str:
    """Return what equals for names of one taxon, at the most precise level that is compared."""
    return taxon.species or taxon.genus or taxon.family or taxon.scientific_name.casefold()


def title_taxon(named: Sequence[Reconciled]) -> Reconciled:
    """Return the taxon to show for several names of it: the surest, brought up to species."""
    best = min(named, key=lambda one: (one.family is None, _SUREST[one.how], one.scientific_name))
    if best.species is None or best.rank == "species":
        return best
    whole = next((one for one in named if one.rank == "species"), None)
    name = whole.scientific_name if whole else best.species.capitalize()
    return replace(best, scientific_name=name, rank="species")


def unit(score: float) -> float:
    """Return a score within 0…1; 0 for NaN."""
    # What is no number is no support; `max` alone would let it pass.
    return min(1.0, score) if score > 0 else 0.0
