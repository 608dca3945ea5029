"""A kept observation as JSON: for programs, the command line, and its owner's own copy."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plantid_core.store.history.values import Determination, Observed


def as_json(observed: Observed) -> dict[str, object]:
    """Return all of an observation; times are ISO 8601 in UTC, the place is exact."""
    known = observed.circumstances
    decided = observed.determination
    return {
        "id": observed.id,
        "made_at": observed.made_at.isoformat(),
        "observed_on": known.observed_on.isoformat() if known.observed_on else None,
        "place": asdict(known.place) if known.place else None,
        "uncertainty_m": known.uncertainty_m,
        "recorded_by": known.recorded_by,
        "licence": known.licence,
        "language": observed.language,
        "sandbox": observed.sandbox,
        "photos": [asdict(photo) for photo in observed.photos],
        "answers": [answer.to_dict() for answer in observed.answers],
        "consensus": asdict(observed.consensus),
        "rung": observed.rung,
        "determination": _determination(decided) if decided else None,
        "determinations": [_determination(one) for one in observed.determinations],
    }


def _determination(decided: Determination) -> dict[str, object]:
    return {
        **asdict(decided),
        "made_at": decided.made_at.isoformat(),
    }
