"""How far providers agree: on one plant in words and figures, and over many plants.

Every figure is there at species, genus and family level: two services that confuse sister species agree on
what most people would call the plant. A name that is less precise than a level is left out there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from plantid_core.compare.ballots import ballots, title_taxon
from plantid_core.compare.names.values import LEVELS
from plantid_core.compare.overlap import PERSISTENCE, overlap_at, rank_biased_overlap
from plantid_core.palette import in_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from plantid_core.compare.ballots import Ballot
    from plantid_core.compare.names.values import Level, Reconciler
    from plantid_core.plants import Answer

DEPTH = 5

_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two providers' rankings of one plant; None where one of them names nothing at that level.

    ``first`` tells whether they name the same taxon first, ``overlap`` is Jaccard's index of their
    first `DEPTH`, ``rbo`` the rank-biased overlap (p = 0.9); both in 0…1.
    """

    a: str
    b: str
    first: bool | None
    overlap: float | None
    rbo: float | None


@dataclass(frozen=True, slots=True)
class LevelAgreement:
    """One level: the taxon that most name first, who does, and how many name anything there first.

    ``first`` is lower case, ``title`` the name to show; None on a tie, and ``providers`` is empty then.
    """

    level: Level
    first: str | None
    title: str | None
    providers: tuple[str, ...]
    of: int
    pairs: tuple[Pair, ...]

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, without the level."""
        return {
            "first": self.first,
            "title": self.title,
            "providers": list(self.providers),
            "of": self.of,
            "pairs": [asdict(pair) for pair in self.pairs],
        }


@dataclass(frozen=True, slots=True)
class Agreement:
    """The answers to one plant, compared; ``providers`` are those that name one."""

    providers: tuple[str, ...]
    levels: tuple[LevelAgreement, ...]

    def at(self, level: Level) -> LevelAgreement:
        """Return one level's figures."""
        return next(one for one in self.levels if one.level == level)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, by level, with the sentence."""
        levels = {str(one.level): one.to_dict() for one in self.levels}
        return {"providers": list(self.providers), "sentence": in_words(self), **levels}


@dataclass(frozen=True, slots=True)
class PairOver:
    """Two providers over many plants, at one level; ``n`` is how many both name something for.

    ``first`` is the share of these on which they name the same first, ``overlap`` and ``rbo`` are
    means over them, ``kappa`` is Cohen's, of their first names; None where it is not defined.
    """

    a: str
    b: str
    level: Level
    n: int
    first: float | None
    overlap: float | None
    rbo: float | None
    kappa: float | None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return asdict(self)


def agreement(answers: Sequence[Answer], names: Reconciler) -> Agreement:
    """Return how far the answers to one plant agree."""
    cast = [ballot for ballot in ballots(answers, names) if ballot.votes]
    levels = tuple(_at_level(cast, level) for level in LEVELS)
    return Agreement(tuple(ballot.provider for ballot in cast), levels)


def _at_level(cast: Sequence[Ballot], level: Level) -> LevelAgreement:
    firsts = {ballot.provider: key for ballot in cast if (key := ballot.top.key(level)) is not None}
    counts = {key: list(firsts.values()).count(key) for key in firsts.values()}
    most = max(counts.values(), default=0)
    leading = [key for key, count in counts.items() if count == most]
    first = leading[0] if len(leading) == 1 else None
    title = first.capitalize() if first else None
    if level == "species" and first:
        title = title_taxon([one.top for one in cast if one.top.species == first]).scientific_name
    naming = tuple(provider for provider, key in firsts.items() if key == first)
    pairs = tuple(_pair(one, other, level) for one, other in combinations(cast, 2))
    return LevelAgreement(level, first, title, naming, len(firsts), pairs)


def _pair(one: Ballot, other: Ballot, level: Level) -> Pair:
    ours, theirs = one.keys(level), other.keys(level)
    if not ours or not theirs:
        return Pair(one.provider, other.provider, None, None, None)
    tops = one.top.key(level), other.top.key(level)
    first = None if None in tops else tops[0] == tops[1]
    return Pair(
        one.provider,
        other.provider,
        first,
        overlap_at(ours, theirs, DEPTH),
        rank_biased_overlap(ours, theirs, PERSISTENCE),
    )


def in_words(found: Agreement) -> str:
    """Return the agreement on the first names as a sentence."""
    n = len(found.providers)
    if n < 2:  # noqa: PLR2004 - nobody to agree with
        who = in_text(found.providers[0]) if found.providers else "No service"
        return f"Only {who} names a plant." if n else f"{who} names a plant."
    species = found.at("species")
    if len(species.providers) == n:
        return f"{_all(n)} name {species.title} first."
    return f"{_on_species(species, n)}{_above(found, n)}."


def _on_species(species: LevelAgreement, n: int) -> str:
    if not species.of:
        return f"{_all(n)} leave the species open"
    if species.of == 1:
        return f"Only {in_text(species.providers[0])} names a species first"
    if species.first is None:
        return "They do not agree on the species"
    return (
        f"{_number(len(species.providers)).capitalize()} of {_number(n)} name {species.title} first"
    )


def _above(found: Agreement, n: int) -> str:
    """Return what can be said above the species: where all agree, else where more do."""
    higher = [found.at("genus"), found.at("family")]
    for one in higher:
        if len(one.providers) == n:
            return f"; {_all(n).lower()} agree on the {one.level} {one.title}"
    agreed = max(1, len(found.at("species").providers))
    for one in higher:
        if len(one.providers) > agreed:
            return f"; {_number(len(one.providers))} agree on the {one.level} {one.title}"
    if agreed > 1:
        return ""
    if found.at("species").of < 2:  # noqa: PLR2004 - nobody to agree with
        return "; they do not agree on the genus"
    families = found.at("family").of > 1
    return ", nor on the genus or the family" if families else ", nor on the genus"


def _all(n: int) -> str:
    return "Both" if n == 2 else f"All {_number(n)}"  # noqa: PLR2004 - two are both


def _number(n: int) -> str:
    return _NUMBERS.get(n, str(n))


def agreement_over(plants: Iterable[Sequence[Answer]], names: Reconciler) -> tuple[PairOver, ...]:
    """Return how far each two providers agree over many plants, an entry a pair and level.

    A plant counts for a pair where both name something first at that level.
    """
    cast = [[one for one in ballots(answers, names) if one.votes] for answers in plants]
    providers = list(dict.fromkeys(ballot.provider for own in cast for ballot in own))
    by_name = [{ballot.provider: ballot for ballot in own} for own in cast]
    return tuple(
        _over([(own[a], own[b]) for own in by_name if a in own and b in own], a, b, level)
        for a, b in combinations(providers, 2)
        for level in LEVELS
    )


def _over(both: Sequence[tuple[Ballot, Ballot]], a: str, b: str, level: Level) -> PairOver:
    pairs = [(_pair(one, other, level), one, other) for one, other in both]
    told = [(pair, one, other) for pair, one, other in pairs if pair.first is not None]
    firsts = [(str(one.top.key(level)), str(other.top.key(level))) for _, one, other in told]
    return PairOver(
        a,
        b,
        level,
        len(told),
        _mean([float(bool(pair.first)) for pair, _, _ in told]),
        _mean([pair.overlap for pair, _, _ in told if pair.overlap is not None]),
        _mean([pair.rbo for pair, _, _ in told if pair.rbo is not None]),
        _kappa(firsts),
    )


def _kappa(firsts: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa (J. Cohen, Educational and Psychological Measurement 20, 1960).

    Undefined, and None, with no plant or where both always name one and the same: all agreement is
    then expected by chance.
    """
    if len({name for pair in firsts for name in pair}) < 2:  # noqa: PLR2004 - one name only
        return None
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score([one for one, _ in firsts], [other for _, other in firsts]))


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
