"""An outcome as JSON bytes, the same as `Outcome.to_dict` told, without encoding twice what stays."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from plantid_core.derived import Derived

if TYPE_CHECKING:
    from plantid_core.plants import Answer, Consensus, Outcome, Stage, Suggestion

# A service's answer, and the verdict, are the same objects for as long as they lie near. What they
# suggest is nearly all of the bytes; age and time taken are each request's own.
_suggestions: Derived[tuple[Suggestion, ...], orjson.Fragment] = Derived(
    lambda some: orjson.Fragment(orjson.dumps([one.to_dict() for one in some]))
)
_consensus: Derived[Consensus, orjson.Fragment] = Derived(
    lambda joint: orjson.Fragment(orjson.dumps(asdict(joint)))
)


def encoded(outcome: Outcome) -> bytes:
    """Return the outcome's JSON."""
    return orjson.dumps(
        {
            "id": outcome.id,
            "photos": outcome.photos,
            "answers": [_answer(one) for one in outcome.answers],
            "consensus": _consensus(outcome.consensus),
            "rung": outcome.rung,
            "degraded": outcome.degraded,
            "trace": [_stage(one) for one in outcome.trace],
        }
    )


def _answer(answer: Answer) -> dict[str, object]:
    return {
        "provider": answer.provider,
        "status": answer.status,
        "source": answer.source,
        "age_s": round(answer.age_s, 3),
        "sandbox": answer.sandbox,
        "elapsed_ms": round(answer.elapsed_ms, 3),
        "is_plant": answer.is_plant,
        "suggestions": _suggestions(answer.suggestions),
        "remaining": answer.remaining,
        "project": answer.project,
        "error": answer.error,
    }


def _stage(stage: Stage) -> dict[str, object]:
    return {
        "stage": stage.stage,
        "start_ms": round(stage.start_ms, 3),
        "ms": round(stage.ms, 3),
        "note": stage.note,
    }
