"""One ranking out of several, by reciprocal rank fusion.

Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank
learning methods", SIGIR 2009: a name's weight is the sum over providers of 1 / (60 + rank). The
score shown beside it is the mean of the providers' own scores (0 where one does not name it), so
that no probability is invented.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from plantid_core.plants import Consensus, ConsensusEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.plants import Answer, Suggestion

_K = 60
_SHOWN = 5


def consensus(answers: Sequence[Answer]) -> Consensus:
    """Return the joint ranking of the answers that name plants; abstains, with the reason, else."""
    voters = [answer for answer in answers if answer.status == "ok" and answer.suggestions]
    if not voters:
        return Consensus(abstained=_no_names(answers))
    entries = _fuse(voters)
    tops = [answer.suggestions[0] for answer in voters]
    species = Counter(_name(top) for top in tops)
    if len(voters) > 1 and species.most_common(1)[0][1] == 1:
        return Consensus(entries, abstained=_disagreement(tops))
    return Consensus(entries)


def _fuse(voters: list[Answer]) -> tuple[ConsensusEntry, ...]:
    weights: defaultdict[str, float] = defaultdict(float)
    scores: defaultdict[str, float] = defaultdict(float)
    named_by: defaultdict[str, list[str]] = defaultdict(list)
    first: dict[str, Suggestion] = {}
    for answer in voters:
        for rank, suggestion in enumerate(answer.suggestions, start=1):
            name = _name(suggestion)
            if answer.provider in named_by[name]:
                continue
            weights[name] += 1 / (_K + rank)
            scores[name] += suggestion.score / len(voters)
            named_by[name].append(answer.provider)
            first.setdefault(name, suggestion)
    ranked = sorted(weights, key=lambda name: (-weights[name], -scores[name], name))[:_SHOWN]
    return tuple(
        ConsensusEntry(
            first[name].taxon.scientific_name,
            first[name].taxon.rank,
            scores[name],
            tuple(named_by[name]),
        )
        for name in ranked
    )


def _name(suggestion: Suggestion) -> str:
    """Return the name without its hybrid sign, which services write as ×, x, or not at all."""
    words = suggestion.taxon.scientific_name.lower().replace("×", " ").split()
    return " ".join(word for word in words if word != "x")


def _disagreement(tops: list[Suggestion]) -> str:
    genera = {_name(top).split(" ", maxsplit=1)[0] for top in tops}
    if len(genera) == 1:
        return f"The services disagree on the species: likely genus {genera.pop().capitalize()}."
    return "The services disagree: no two name the same plant first."


def _no_names(answers: Sequence[Answer]) -> str:
    statuses = {answer.status for answer in answers}
    if "not_a_plant" in statuses:
        return "No plant was recognised in this picture."
    if "no_match" in statuses:
        return "No service knows this plant."
    return "No service could answer."
