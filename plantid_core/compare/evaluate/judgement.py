"""What one provider said of one labelled photo, and how right it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from plantid_core.compare.ballots import key_of, unit
from plantid_core.compare.consensus import verdict
from plantid_core.plants import HEARD, LOCAL, AnswerStatus, Taxon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.compare.evaluate.label import Labelled
    from plantid_core.compare.names.values import Reconciled, Reconciler
    from plantid_core.plants import Answer, Consensus

JudgedStatus = AnswerStatus | Literal["abstained"]
CONSENSUS = "consensus"

_FRESH = frozenset({"upstream", "local"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """One provider's names for one photo, reconciled, in its own order; ``scores`` in 0…1 beside them.

    ``answered`` is False where nothing was said at all (unreachable, no credits left, refused): that is
    reported, and never counted as wrong. ``rejected`` tells that it was said to be no plant, or no known
    one, which is all that some services can say of a chair. ``latency_ms`` is None for what came from a
    cache.
    """

    photo: Labelled
    provider: str
    sandbox: bool
    status: JudgedStatus
    answered: bool
    rejected: bool
    names: tuple[Reconciled, ...] = ()
    scores: tuple[float, ...] = ()
    credits: int = 0
    latency_ms: float | None = None

    @property
    def first(self) -> Reconciled | None:
        """Return the taxon named first."""
        return self.names[0] if self.names else None

    @property
    def score(self) -> float | None:
        """Return the score of the first name."""
        return self.scores[0] if self.scores else None

    @property
    def rank(self) -> int | None:
        """Return at which rank, from 1, the right species is named; None where it is not."""
        truth = self.photo.species
        for rank, taxon in enumerate(self.names, start=1):
            if truth is not None and taxon.species == truth:
                return rank
        return None

    @property
    def genus_right(self) -> bool:
        """Tell whether the first name is of the right genus."""
        return (
            self.first is not None
            and self.first.genus is not None
            and (self.first.genus == self.photo.genus)
        )

    @property
    def family_right(self) -> bool:
        """Tell whether the first name is of the right family, also where only its genus is known."""
        first = self.first
        if first is None:
            return False
        return self.genus_right or (first.family is not None and first.family == self.photo.family)

    @property
    def right(self) -> bool:
        """Tell whether the first name is right, as precisely as the label tells; for no plant: rejected."""
        return {
            "species": self.rank == 1,
            "genus": self.genus_right,
            "family": self.family_right,
            "not_a_plant": self.rejected,
        }[self.photo.level]


def judge(photo: Labelled, answer: Answer, names: Reconciler) -> Judgement:
    """Return how right an answer is. Its names are counted as the service ranks them."""
    named = answer.suggestions if answer.status == "ok" else ()
    answered = answer.status in HEARD
    paid = answer.source == "upstream" and answer.provider not in LOCAL
    return Judgement(
        photo,
        answer.provider,
        answer.sandbox,
        answer.status,
        answered,
        rejected=answered and not named,
        names=tuple(names.reconcile(suggestion.taxon) for suggestion in named),
        scores=tuple(unit(suggestion.score) for suggestion in named),
        credits=int(answered and paid),
        latency_ms=answer.elapsed_ms if answered and answer.source in _FRESH else None,
    )


def judge_joint(
    photo: Labelled, joint: Consensus, parts: Sequence[Judgement], names: Reconciler
) -> Judgement:
    """Return how right the joint ranking of these answers is; its entries' order is its ranking.

    Where it abstains it has named no species: what counts is the genus or family that it calls likely,
    if any. It rejects where nobody names a plant, or as many see none as name one; a mere disagreement is
    neither a name nor a rejection. It costs what they cost together, and takes as long as the slowest.
    """
    heard = [part for part in parts if part.answered]
    naming = sum(bool(part.names) for part in heard)
    blind = sum(part.status == "not_a_plant" for part in heard)
    rejected = bool(heard and joint.abstained) and blind >= naming
    kept = [] if rejected else _kept(joint, heard, names)
    latencies = [part.latency_ms for part in heard if part.latency_ms is not None]
    return Judgement(
        photo,
        CONSENSUS,
        any(part.sandbox for part in heard),
        _status(answered=bool(heard), named=bool(kept), rejected=rejected),
        bool(heard),
        rejected=rejected,
        names=tuple(taxon for taxon, _ in kept),
        scores=tuple(score for _, score in kept),
        credits=sum(part.credits for part in heard),
        latency_ms=max(latencies) if heard and len(latencies) == len(heard) else None,
    )


def _kept(
    joint: Consensus, heard: Sequence[Judgement], names: Reconciler
) -> list[tuple[Reconciled, float]]:
    """Return the entries that are a verdict, with what the providers told of each taxon."""
    known = _by_key(heard)
    first = verdict(joint)
    said = [entry for entry in (first,) if entry] if joint.abstained else joint.suggestions
    kept = []
    for entry in said:
        taxon = names.reconcile(Taxon(entry.scientific_name, rank=entry.rank))
        kept.append((known.get(key_of(taxon), taxon), unit(entry.score)))
    return kept


def _status(*, answered: bool, named: bool, rejected: bool) -> JudgedStatus:
    if not answered:
        return "unavailable"
    if named:
        return "ok"
    return "not_a_plant" if rejected else "abstained"


def _by_key(parts: Sequence[Judgement]) -> dict[str, Reconciled]:
    """Return what the providers told of each taxon: a joint entry has a name and no family."""
    known: dict[str, Reconciled] = {}
    for taxon in (taxon for part in parts for taxon in part.names):
        if known.get(key_of(taxon)) is None or taxon.family is not None:
            known[key_of(taxon)] = taxon
    return known
