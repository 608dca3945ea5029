"""One order out of several rankings, and the score shown beside each taxon.

The order is reciprocal rank fusion: a taxon's weight is the sum over providers of 1 / (60 + rank) (Cormack,
Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
SIGIR 2009). It needs no scores, so services whose scores mean different things can be joined. One rule
goes before it: a taxon that more than half of those that name a plant put first, leads. A genus that is
put first counts for its species too: it is less precise, and no contradiction.

The score is the linear opinion pool with equal weights (Stone, "The opinion pool", Annals of Mathematical
Statistics 32, 1961): the mean of the providers' calibrated scores over all that answered, 0 where one
does not name the taxon. A provider whose scores add up to more than 1 is scaled down to 1 first. So the
scores of all taxa add up to 1 at most, and none is above the highest that a provider gave it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from plantid_core.compare.ballots import title_taxon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plantid_core.compare.ballots import Ballot, Vote
    from plantid_core.compare.calibration import Calibration
    from plantid_core.compare.names.values import Reconciled

_K = 60


@dataclass(frozen=True, slots=True)
class Fused:
    """A taxon's place in the joint order.

    ``firsts`` is how many put it first, ``leads`` whether more than half do, counting those whose first
    name is its genus or family; ``providers`` are all that name it, by name.
    """

    key: str
    taxon: Reconciled
    weight: float
    score: float
    best: int
    firsts: int
    leads: bool
    providers: tuple[str, ...]

    @property
    def order(self) -> tuple[int, int, float, float, int, str]:
        """Return what the joint order sorts by: a species that leads, a genus that does, the others."""
        group = 2 if not self.leads else self.taxon.species is None
        firsts = self.firsts if self.leads else 0
        return (int(group), -firsts, -self.weight, -self.score, self.best, self.key)


def fuse(
    cast: Sequence[Ballot], shares: Sequence[Mapping[str, float]], heard: int
) -> tuple[Fused, ...]:
    """Return every taxon that is named, the likeliest first.

    ``shares`` has each ballot's `shares_of`, ``heard`` how many providers answered, also without a
    name. The order of the ballots makes no difference: sums are exact (`math.fsum`).
    """
    votes: defaultdict[str, list[tuple[str, Vote, float]]] = defaultdict(list)
    for ballot, share in zip(cast, shares, strict=True):
        for key, vote in ballot.votes.items():
            votes[key].append((ballot.provider, vote, share[key]))
    tops = [ballot.top for ballot in cast if ballot.votes]
    fused = [_fused(key, own, tops, heard) for key, own in votes.items()]
    return tuple(sorted(fused, key=lambda one: one.order))


def _fused(
    key: str, own: list[tuple[str, Vote, float]], tops: list[Reconciled], heard: int
) -> Fused:
    shown = title_taxon([vote.taxon for _, vote, _ in own])
    firsts = sum(vote.rank == 1 for _, vote, _ in own)
    backers = firsts + sum(contains(top, shown) for top in tops) if firsts else 0
    return Fused(
        key,
        shown,
        fsum([1 / (_K + vote.rank) for _, vote, _ in own]),
        fsum([share for _, _, share in own]) / heard,
        min(vote.rank for _, vote, _ in own),
        firsts,
        2 * backers > len(tops),
        tuple(sorted(provider for provider, _, _ in own)),
    )


def contains(coarse: Reconciled, fine: Reconciled) -> bool:
    """Tell whether a name is that of the other's genus or family, named without saying more."""
    if coarse.species is not None:
        return False
    if coarse.genus is not None:
        return fine.species is not None and coarse.genus == fine.genus
    return fine.genus is not None and coarse.family is not None and coarse.family == fine.family


def shares_of(ballot: Ballot, calibration: Calibration | None) -> dict[str, float]:
    """Return a ballot's calibrated scores by key, scaled where they add up to more than 1."""
    scores = {
        key: vote.score
        if calibration is None
        else calibration.apply(ballot.provider, vote.score, sandbox=ballot.sandbox)
        for key, vote in ballot.votes.items()
    }
    whole = fsum(scores.values())
    return scores if whole <= 1 else {key: score / whole for key, score in scores.items()}
