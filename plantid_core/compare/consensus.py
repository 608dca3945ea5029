"""One verdict out of several answers, or what can be said where there is none.

The rules, in this order:

1. Where more see no plant than name one there is no verdict; nor where as many do, unless one of those
   that name it gives a name 0.5.
2. A species is the verdict where more than half of those that name a plant name it first. Who names only
   its genus or family supports it. Of two species so supported, more first places decide.
3. One voice must be sure: a species that a single provider names first needs a score of 0.5, so that it is
   likelier right than wrong (C. K. Chow, "On optimum recognition error and reject tradeoff", IEEE
   Transactions on Information Theory 16, 1970). Where several agree, 0.1 from any of them will do.
4. Else the same is asked of the genus, with the scores of its species added up, and then of the family.
5. Else nothing is said.

``fusion`` has the order and the scores. No score counts twice: where the verdict is a genus, its species are
inside that entry.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING

from plantid_core.compare.ballots import ballots, title_taxon
from plantid_core.compare.fusion import contains, fuse, shares_of
from plantid_core.palette import begun, in_text, listed
from plantid_core.plants import HEARD, Consensus, ConsensusEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plantid_core.compare.ballots import Ballot
    from plantid_core.compare.calibration import Calibration
    from plantid_core.compare.fusion import Fused
    from plantid_core.compare.names.values import Level, Reconciled, Reconciler
    from plantid_core.plants import Answer

# The least score of a verdict: of one voice, and of the surer of several that agree.
ALONE, TOGETHER = 0.5, 0.1

_SHOWN = 5
_ABOVE: tuple[Level, ...] = ("genus", "family")
_CLOSER = "Try a closer photo of a flower, a fruit or one leaf."


def consensus(
    answers: Sequence[Answer],
    names: Reconciler | None = None,
    calibration: Calibration | None = None,
) -> Consensus:
    """Return the joint ranking; ``abstained`` has a sentence wherever no species is the verdict.

    An entry of rank genus or family leads where the verdict is only that precise. ``names`` is what brings
    synonyms together (None: the table that is shipped), ``calibration`` what turns a provider's scores
    into shares of right answers (None: they are taken as they are).
    """
    if names is None:
        from plantid_core.compare.names.reconcile import shipped

        names = shipped()
    heard = [answer for answer in answers if answer.status in HEARD]
    cast = [ballot for ballot in ballots(heard, names) if ballot.votes]
    if not cast:
        return Consensus(abstained=_no_names(answers))
    shares = [shares_of(ballot, calibration) for ballot in cast]
    count = _counted(cast, shares, len(heard))
    entries = tuple(_entry(one) for one in count.fused[:_SHOWN])
    blind = sorted(answer.provider for answer in heard if answer.status == "not_a_plant")
    surest = max(score for share in shares for score in share.values())
    if len(blind) > len(cast) or (len(blind) == len(cast) and surest < ALONE):
        return Consensus(entries, _no_plant(blind, cast))
    if _decided(count):
        return Consensus(entries)
    only = len(cast) == 1 and len(answers) > 1
    for level in _ABOVE:
        if (key := _common(count, level)) is not None:
            said = f"{_why(count, only=only)}: {_likely(level, key.capitalize())}"
            return Consensus(_rolled_up(count, level, key), said)
    return Consensus(entries, f"{_nothing(count, only=only)} {_CLOSER}")


def verdict(joint: Consensus) -> ConsensusEntry | None:
    """Return the entry that is the verdict: a species, or the genus or family that is called likely.

    None where there is none: an entry may lead the ranking without being a verdict.
    """
    if not joint.suggestions:
        return None
    first = joint.suggestions[0]
    said = joint.abstained
    if said is None or said.endswith(_likely(first.rank, first.scientific_name)):
        return first
    return None


def _likely(level: str, name: str) -> str:
    return f"likely {level} {name}."


@dataclass(frozen=True, slots=True)
class _Count:
    """The ballots of those that name a plant with their scores, and how many answered at all.

    ``fused`` is the joint order, ``tops`` what each puts first.
    """

    cast: Sequence[Ballot]
    shares: Sequence[Mapping[str, float]]
    heard: int
    fused: Sequence[Fused]
    tops: Sequence[Reconciled]

    def shares_at(self, level: Level, key: str) -> list[float]:
        """Return each provider's score of all its taxa within one; 0 where it names none of them."""
        inside = {one.key for one in self.fused if one.taxon.key(level) == key}
        within = [[score for own, score in share.items() if own in inside] for share in self.shares]
        return [min(1.0, fsum(scores)) for scores in within]


def _counted(cast: Sequence[Ballot], shares: Sequence[Mapping[str, float]], heard: int) -> _Count:
    fused = fuse(cast, shares, heard)
    # Each as the joint order has it: with the family that another provider may have told.
    taxa = {one.key: one.taxon for one in fused}
    tops = [taxa[next(iter(ballot.votes))] for ballot in cast]
    return _Count(cast, shares, heard, fused, tops)


def _decided(count: _Count) -> bool:
    """Tell whether the first of the joint order is a verdict on the species."""
    first = count.fused[0]
    if first.taxon.species is None or not first.leads:
        return False
    rivals = [one for one in count.fused[1:2] if one.leads and one.taxon.species is not None]
    tied = any(one.firsts == first.firsts for one in rivals)
    return not tied and _sure(count, "species", first.taxon.species)


def _common(count: _Count, level: Level) -> str | None:
    """Return the genus or family that more than half name first, in whatever species, and surely."""
    tops = count.tops
    firsts = Counter(key for top in tops if (key := top.key(level)) is not None)
    backed = {
        key: number
        for key, number in firsts.items()
        if 2 * (number + _supporters(tops, level, key)) > len(tops)
    }
    most = max(backed.values(), default=0)
    leading = [key for key, number in backed.items() if number == most]
    return leading[0] if len(leading) == 1 and _sure(count, level, leading[0]) else None


def _supporters(tops: Sequence[Reconciled], level: Level, key: str) -> int:
    """Return how many name first only the family that this genus is of."""
    shown = title_taxon([top for top in tops if top.key(level) == key])
    return sum(contains(top, shown) for top in tops if top.key(level) is None)


def _sure(count: _Count, level: Level, key: str) -> bool:
    """Tell whether those that name a taxon first are sure enough of it."""
    shares = [
        share
        for top, share in zip(count.tops, count.shares_at(level, key), strict=True)
        if top.key(level) == key
    ]
    return max(shares) >= (ALONE if len(shares) == 1 else TOGETHER)


def _rolled_up(count: _Count, level: Level, key: str) -> tuple[ConsensusEntry, ...]:
    """Return the joint ranking with one entry for all taxa within a genus or family, at its head."""
    shares = count.shares_at(level, key)
    inside = [one for one in count.fused if one.taxon.key(level) == key]
    providers = sorted({provider for one in inside for provider in one.providers})
    whole = ConsensusEntry(key.capitalize(), level, fsum(shares) / count.heard, tuple(providers))
    outside = [_entry(one) for one in count.fused if one.taxon.key(level) != key]
    return (whole, *outside[: _SHOWN - 1])


def _entry(one: Fused) -> ConsensusEntry:
    return ConsensusEntry(one.taxon.scientific_name, one.taxon.rank, one.score, one.providers)


def _why(count: _Count, *, only: bool) -> str:
    """Return why there is no verdict on the species."""
    species = {top.species for top in count.tops if top.species is not None}
    if len(count.cast) > 1:
        named = {0: "name no species", 1: "are not sure of the species"}
        return f"The services {named.get(len(species), 'disagree on the species')}"
    title = in_text(count.cast[0].provider)
    unsure = "is not sure of the species" if species else "names no species"
    return f"Only {title} names a plant, and it {unsure}" if only else begun(f"{title} {unsure}")


def _nothing(count: _Count, *, only: bool) -> str:
    """Return why there is no verdict at all."""
    if len(count.cast) > 1:
        agree = count.fused[0].leads
        return "The services are not sure." if agree else "The services do not agree on a plant."
    title = in_text(count.cast[0].provider)
    return (
        f"Only {title} names a plant, and it is not sure."
        if only
        else begun(f"{title} is not sure.")
    )


def _no_plant(blind: Sequence[str], cast: Sequence[Ballot]) -> str:
    see = "sees" if len(blind) == 1 else "see"
    name = "names" if len(cast) == 1 else "name"
    naming = sorted(ballot.provider for ballot in cast)
    those, others = (listed([in_text(one) for one in group]) for group in (blind, naming))
    return begun(f"{those} {see} no plant in this picture; {others} {name} one.")


def _no_names(answers: Sequence[Answer]) -> str:
    statuses = {answer.status for answer in answers}
    if "not_a_plant" in statuses:
        return "No plant was recognised in this picture."
    if statuses & HEARD:
        return "No service knows this plant."
    return "No service could answer."
