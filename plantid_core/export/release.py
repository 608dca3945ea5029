"""What of a kept observation may leave the workbench: no sandbox, no exact place of a sensitive plant."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from plantid_core.compare.consensus import consensus, verdict
from plantid_core.export.sensitive import Sensitive, generalised
from plantid_core.plants import Taxon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.compare.calibration import Calibration
    from plantid_core.compare.names.values import Level, Reconciler
    from plantid_core.export.sensitive import Rule
    from plantid_core.plants import Answer, Consensus
    from plantid_core.store.history.values import Circumstances, Determination, Observed

SANDBOX_MARK = "SANDBOX: no botany"
ONLY_SANDBOX = "only the sandbox answered"

# Below this a suggestion that is not a provider's first says next to nothing of what was seen.
_LIKELY = 0.2


@dataclass(slots=True)
class Exported:
    """What was written.

    ``left_out`` counts observations by the reason why they are not among it, ``generalised`` those
    whose place is not told exactly, ``photos_missing`` photos that are kept no more.
    """

    observations: int = 0
    rows: int = 0
    generalised: int = 0
    photos_missing: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Named:
    """The name an observation stands under: a person's, or else the machines' joint first.

    ``determination`` is the person's decision; ``providers`` are the machines that named it, with
    the joint ``score`` in 0…1.
    """

    taxon: Taxon
    determination: Determination | None = None
    providers: tuple[str, ...] = ()
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """An observation as it may be told.

    ``circumstances`` hold a generalised place where ``rule`` says why; notes are then withheld, for
    they may describe the way there. ``sandbox`` marks one that a sandbox's answer is part of.
    """

    observed: Observed
    answers: tuple[Answer, ...]
    joint: Consensus
    determinations: tuple[Determination, ...]
    circumstances: Circumstances
    rule: Rule | None
    sandbox: bool

    @property
    def determination(self) -> Determination | None:
        """Return the determination that stands."""
        return self.determinations[-1] if self.determinations else None

    def place_is_generalised(self) -> bool:
        """Tell whether there is a place, and it is not told exactly."""
        return self.rule is not None and self.circumstances.place is not None


@dataclass(frozen=True, slots=True)
class Terms:
    """By what names are compared, which plants are ``sensitive`` (None: the owner's own copy, as it is).

    ``include_sandbox`` lets answers of the sandbox out, marked. ``calibration`` is what the joint ranking is
    made with where it is made anew, without the sandbox.
    """

    names: Reconciler
    sensitive: Sensitive | None
    include_sandbox: bool = False
    calibration: Calibration | None = None


def release(observed: Observed, terms: Terms) -> Released | None:
    """Return what may be told of an observation, None where only the sandbox has spoken of it."""
    answers, decided, joint = observed.answers, observed.determinations, observed.consensus
    if not terms.include_sandbox:
        answers = tuple(answer for answer in answers if not answer.sandbox)
        decided = tuple(one for one in decided if not one.sandbox)
        if observed.sandbox:
            if not answers and not decided:
                return None
            # The joint ranking that was kept has the sandbox's votes in it.
            joint = consensus(answers, terms.names, terms.calibration)
    told = Released(
        observed,
        answers,
        joint,
        decided,
        observed.circumstances,
        None,
        sandbox=any(answer.sandbox for answer in answers) or any(one.sandbox for one in decided),
    )
    if terms.sensitive is None:
        return told
    rule = terms.sensitive.rule(_weighty(told))
    return told if rule is None else _generalise(told, rule)


def standing(told: Released, names: Reconciler) -> Named | None:
    """Return the name the observation stands under, None where there is none.

    A person's determination goes before any machine. Where the machines do not agree on a species, it
    is the genus or the family that the joint ranking calls likely.
    """
    decided = told.determination
    if decided is not None:
        return None if decided.taxon is None else Named(decided.taxon, decided)
    first = verdict(told.joint)
    if first is None:
        return None
    taxon = _known(first.scientific_name, first.rank, told.answers, names)
    return Named(taxon, None, first.providers, first.score)


def _weighty(told: Released) -> Iterator[Taxon]:
    """Give every name by which the plant may be known: determined ever, or likely by a machine."""
    for decided in told.determinations:
        if decided.taxon is not None:
            yield decided.taxon
    for answer in told.answers:
        for rank, suggestion in enumerate(answer.suggestions):
            if rank == 0 or suggestion.score >= _LIKELY:
                yield suggestion.taxon
    if told.joint.suggestions:
        first = told.joint.suggestions[0]
        yield Taxon(first.scientific_name, rank=first.rank)


def _generalise(told: Released, rule: Rule) -> Released:
    known = told.circumstances
    if known.place is not None:
        place, radius_m = generalised(known.place, known.uncertainty_m, rule.grid_degrees)
        known = replace(known, place=place, uncertainty_m=radius_m)
    silent = tuple(replace(one, note="") for one in told.determinations)
    return replace(told, circumstances=known, determinations=silent, rule=rule)


def _known(name: str, rank: str, answers: tuple[Answer, ...], names: Reconciler) -> Taxon:
    """Return the taxon with all that any provider told of it."""
    plain = Taxon(name, rank=rank)
    wanted = names.reconcile(plain)
    level: Level = "species" if wanted.species else "genus" if wanted.genus else "family"
    same = [
        suggestion.taxon
        for answer in answers
        for suggestion in answer.suggestions
        if suggestion.taxon.rank == rank
        and (
            suggestion.taxon.scientific_name == name
            or names.reconcile(suggestion.taxon).key(level) == wanted.key(level) is not None
        )
    ]
    if not same:
        return replace(plain, family=_titled(wanted.family), genus=_titled(wanted.genus))
    # The name as the ranking gives it; of those who tell it so, the one who tells most.
    best = max(same, key=lambda taxon: (taxon.scientific_name == name, _fullness(taxon)))
    if best.scientific_name == name:
        return best
    # A synonym's author and number are not this name's.
    return replace(best, scientific_name=name, authorship=None, gbif_id=None)


def _fullness(taxon: Taxon) -> int:
    return sum(value is not None for value in (taxon.authorship, taxon.family, taxon.gbif_id))


def _titled(name: str | None) -> str | None:
    return name.capitalize() if name else None
