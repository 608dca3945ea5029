"""An outcome as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import orjson
import pandas as pd

if TYPE_CHECKING:
    from plantid_core.plants import Answer, AnswerStatus, Outcome, Source, Suggestion


class Row(TypedDict):
    """A line of the CSV; ``rank`` counts from 1."""

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


def as_json(outcome: Outcome) -> bytes:
    """Return the same JSON that the API and the command line give."""
    return orjson.dumps(outcome.to_dict(), option=orjson.OPT_INDENT_2)


def as_csv(outcome: Outcome) -> bytes:
    """Return a row a suggestion, and one for a provider that named nothing.

    Sandbox answers carry their mark in a column.
    """
    rows = [
        _row(answer, rank, suggestion)
        for answer in outcome.answers
        for rank, suggestion in enumerate(answer.suggestions, start=1)
    ]
    rows += [_row(answer) for answer in outcome.answers if not answer.suggestions]
    return (
        pd.DataFrame(rows)
        .astype({"rank": "Int64", "gbif_id": "Int64"})
        .to_csv(index=False)
        .encode()
    )


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
