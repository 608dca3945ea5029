"""What a determination rests on: a suggestion as it was made, or a name of the person's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isclose
from typing import TYPE_CHECKING

from plantid_core.compare.names.parse import parse
from plantid_core.errors import NotSuggested, PlantIDError
from plantid_core.plants import Taxon

if TYPE_CHECKING:
    from plantid_core.store.history.values import Action, Observed

CONSENSUS = "consensus"

_SCORE_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says of an observation.

    ``confirmed`` takes the suggestion of ``provider`` ("consensus" for the joint ranking): its first,
    or the one that names ``taxon``. ``changed`` names another ``taxon``, a person's own, or where
    ``provider`` is given one that it suggested. ``rejected`` says that the suggestions are wrong.
    ``score`` is checked where it is given.
    """

    action: Action
    taxon: Taxon | None = None
    provider: str | None = None
    score: float | None = None
    note: str = ""
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class Basis:
    """The taxon and score as they were suggested, and the providers whom the sandbox answered for."""

    taxon: Taxon | None
    score: float | None
    sandbox: tuple[str, ...]


def basis_of(observed: Observed, decision: Decision) -> Basis:
    """Return what a decision rests on.

    Raises `NotSuggested` where the provider did not suggest that, `NameUnparsable` for a name of the
    person's own that is none, and `PlantIDError` for a decision that names nothing.
    """
    if decision.action == "rejected":
        named = [answer for answer in observed.answers if answer.suggestions]
        practice = all(answer.sandbox for answer in named)
        return Basis(None, None, _sandboxed(observed) if practice else ())
    if decision.provider is not None:
        return _suggested(observed, decision, decision.provider)
    if decision.action == "confirmed" or decision.taxon is None:
        raise PlantIDError(
            "Say which provider's suggestion is confirmed, or name another plant to change it."
        )
    parse(decision.taxon.scientific_name)
    return Basis(decision.taxon, None, ())


def _suggested(observed: Observed, decision: Decision, provider: str) -> Basis:
    wanted = decision.taxon.scientific_name if decision.taxon else None
    told = _joint(observed) if provider == CONSENSUS else _told_by(observed, provider)
    for taxon, score in told:
        if wanted not in {None, taxon.scientific_name}:
            continue
        given = decision.score
        if given is not None and not isclose(given, score, abs_tol=_SCORE_TOLERANCE):
            reason = f"its score is {score:.4f}, not {given:.4f}."
            raise NotSuggested(provider, taxon.scientific_name, reason)
        return Basis(taxon, score, _sandboxed(observed, provider))
    reason = "confirm a name that is listed, or change it to another."
    raise NotSuggested(provider, wanted or "anything", reason)


def _told_by(observed: Observed, provider: str) -> list[tuple[Taxon, float]]:
    return [
        (suggestion.taxon, suggestion.score)
        for answer in observed.answers
        if answer.provider == provider
        for suggestion in answer.suggestions
    ]


def _joint(observed: Observed) -> list[tuple[Taxon, float]]:
    """Return the joint ranking, each name with what a provider told of it."""
    told = {
        suggestion.taxon.scientific_name: suggestion.taxon
        for answer in reversed(observed.answers)
        for suggestion in answer.suggestions
    }
    return [
        (
            replace(told.get(name := entry.scientific_name, Taxon(name)), rank=entry.rank),
            entry.score,
        )
        for entry in observed.consensus.suggestions
    ]


def _sandboxed(observed: Observed, provider: str = CONSENSUS) -> tuple[str, ...]:
    """Return for whom the sandbox named something; whoever leads a joint ranking, it had a vote."""
    return tuple(
        answer.provider
        for answer in observed.answers
        if answer.sandbox and answer.suggestions and provider in {CONSENSUS, answer.provider}
    )
