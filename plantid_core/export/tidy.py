"""Answers as a tidy table: a row a suggestion, and one for a provider that named nothing.

H. Wickham, "Tidy data", Journal of Statistical Software 59(10), 2014. Sandbox answers carry their mark
in a column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plantid_core.plants import Answer, AnswerStatus, Consensus, Source, Suggestion


class Row(TypedDict):
    """A line of the table; ``rank`` counts from 1."""

    provider: str
    sandbox: bool
    status: AnswerStatus
    source: Source
    rank: int | None
    scientific_name: str | None
    authorship: str | None
    family: str | None
    score: float | None
    gbif_id: int | None
    error: str | None


WHOLE = {"rank": "Int64", "gbif_id": "Int64"}


def rows(answers: Iterable[Answer]) -> list[Row]:
    """Return the answers' rows, those with names first."""
    told = list(answers)
    named = [
        _row(answer, rank, suggestion)
        for answer in told
        for rank, suggestion in enumerate(answer.suggestions, start=1)
    ]
    return named + [_row(answer) for answer in told if not answer.suggestions]


def joint_rows(joint: Consensus, answers: Iterable[Answer]) -> list[Row]:
    """Return the joint ranking's rows, marked where a sandbox had a say; a row with the reason else."""
    sandbox = any(answer.sandbox for answer in answers)
    base: Row = {
        "provider": "consensus",
        "sandbox": sandbox,
        "status": "ok",
        "source": "local",
        "rank": None,
        "scientific_name": None,
        "authorship": None,
        "family": None,
        "score": None,
        "gbif_id": None,
        "error": None,
    }
    if joint.abstained:
        return [{**base, "status": "no_match", "error": joint.abstained}]
    return [
        {**base, "rank": rank, "scientific_name": entry.scientific_name, "score": entry.score}
        for rank, entry in enumerate(joint.suggestions, start=1)
    ]


def _row(answer: Answer, rank: int | None = None, named: Suggestion | None = None) -> Row:
    taxon = named.taxon if named else None
    return {
        "provider": answer.provider,
        "sandbox": answer.sandbox,
        "status": answer.status,
        "source": answer.source,
        "rank": rank,
        "scientific_name": taxon.scientific_name if taxon else None,
        "authorship": taxon.authorship if taxon else None,
        "family": taxon.family if taxon else None,
        "score": named.score if named else None,
        "gbif_id": taxon.gbif_id if taxon else None,
        "error": answer.error["message"] if answer.error else None,
    }
