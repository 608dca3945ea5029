"""An outcome as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pandas as pd

if TYPE_CHECKING:
    from plantid_core.plants import Outcome


def as_json(outcome: Outcome) -> bytes:
    """Return the same JSON that the API and the command line give."""
    return orjson.dumps(outcome.to_dict(), option=orjson.OPT_INDENT_2)


def as_csv(outcome: Outcome) -> bytes:
    """Return one row a suggestion; sandbox answers carry their mark in a column."""
    rows = [
        {
            "provider": answer.provider,
            "sandbox": answer.sandbox,
            "status": answer.status,
            "source": answer.source,
            "rank": rank,
            "scientific_name": suggestion.taxon.scientific_name,
            "authorship": suggestion.taxon.authorship,
            "family": suggestion.taxon.family,
            "score": suggestion.score,
            "gbif_id": suggestion.taxon.gbif_id,
        }
        for answer in outcome.answers
        for rank, suggestion in enumerate(answer.suggestions, start=1)
    ]
    return pd.DataFrame(rows).to_csv(index=False).encode()
