"""What is asked of a team for one photo, and what it tells; and its form in the journal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import orjson

from plantid_core.plants import HEARD, LOCAL, Answer, Consensus, ConsensusEntry, Suggestion, Taxon

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Failures after which the service cannot have counted the call: it was never asked.
_UNASKED = frozenset(
    {"connect", "connect_timeout", "breaker_open", "bulkhead_full", "request", "model"}
)
KEY_REFUSED = "key"


@dataclass(frozen=True, slots=True)
class Job:
    """One photo to be asked: ``ask`` names the providers, ``kept`` has earlier answers of others.

    ``user`` is whose calls of a minute these are.
    """

    key: str
    name: str
    data: bytes = field(repr=False)
    ask: tuple[str, ...]
    order: tuple[str, ...]
    language: str
    kept: tuple[Answer, ...] = ()
    user: str = "batch"

    @property
    def calls(self) -> int:
        """Return how many paid calls it takes at most."""
        return sum(name not in LOCAL for name in self.ask)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file was refused; ``transient`` where that says nothing of the file."""

    code: str
    message: str
    transient: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a job: every answer so far and their joint ranking, or a refusal.

    ``new`` names the providers that were asked now, ``took_s`` is how long that took; ``lost`` calls
    may have been made by a machine that never told.
    """

    key: str
    answers: tuple[Answer, ...] = ()
    joint: Consensus | None = None
    new: tuple[str, ...] = ()
    took_s: float = 0.0
    refusal: Refusal | None = None
    lost: int = 0

    @property
    def cost(self) -> int:
        """Return how many calls may have been charged for it."""
        new = (answer for answer in self.answers if answer.provider in self.new)
        return self.lost + sum(map(paid, new))


def heard(answer: Answer) -> bool:
    """Tell whether a provider said anything of the plant."""
    return answer.status in HEARD


def final(answer: Answer) -> bool:
    """Tell whether asking again would bring the same: a service's trouble, or ours, is not final."""
    if answer.status == "rejected":
        return answer.error is None or answer.error["code"] != KEY_REFUSED
    return heard(answer)


def paid(answer: Answer) -> bool:
    """Tell whether a service may have charged for this answer: in doubt, that it has."""
    if answer.provider in LOCAL or answer.source != "upstream":
        return False
    if heard(answer):
        return True
    code = answer.error["code"] if answer.error else ""
    return answer.status == "unavailable" and code not in _UNASKED


def slim(answer: Answer) -> Answer:
    """Return the answer without pictures and care, of which the table has nothing."""
    return replace(
        answer,
        suggestions=tuple(
            Suggestion(suggestion.taxon, suggestion.score) for suggestion in answer.suggestions
        ),
    )


def pack(answers: Iterable[Answer], joint: Consensus | None) -> bytes:
    """Return answers and their joint ranking as JSON."""
    return orjson.dumps({"answers": tuple(answers), "joint": joint})


def unpack(packed: bytes) -> tuple[tuple[Answer, ...], Consensus | None]:
    """Return what `pack` was given, slim."""
    told = orjson.loads(packed)
    joint = told["joint"]
    return tuple(_answer(one) for one in told["answers"]), _joint(joint) if joint else None


def _answer(told: dict[str, object]) -> Answer:
    suggestions = cast("list[dict[str, object]]", told["suggestions"])
    fields = {**told, "suggestions": tuple(_suggestion(one) for one in suggestions)}
    return Answer(**fields)  # type: ignore[arg-type]  # what `pack` wrote


def _suggestion(told: Mapping[str, object]) -> Suggestion:
    taxon = cast("dict[str, object]", told["taxon"])
    names = tuple(cast("list[str]", taxon["common_names"]))
    return Suggestion(
        Taxon(**{**taxon, "common_names": names}),  # type: ignore[arg-type]  # what `pack` wrote
        cast("float", told["score"]),
    )


def _joint(told: Mapping[str, object]) -> Consensus:
    entries = cast("list[dict[str, object]]", told["suggestions"])
    return Consensus(
        tuple(
            ConsensusEntry(**{**entry, "providers": tuple(cast("list[str]", entry["providers"]))})  # type: ignore[arg-type]  # what `pack` wrote
            for entry in entries
        ),
        cast("str | None", told["abstained"]),
    )
