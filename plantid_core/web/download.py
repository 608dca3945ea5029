"""An outcome as files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pandas as pd

from plantid_core.export import tidy

if TYPE_CHECKING:
    from plantid_core.plants import Outcome


def as_json(outcome: Outcome) -> bytes:
    """Return the same JSON that the API and the command line give."""
    return orjson.dumps(outcome.to_dict(), option=orjson.OPT_INDENT_2)


def as_csv(outcome: Outcome) -> bytes:
    """Return the tidy table of the outcome's answers."""
    rows = tidy.rows(outcome.answers)
    return pd.DataFrame(rows).astype(tidy.WHOLE).to_csv(index=False).encode()
