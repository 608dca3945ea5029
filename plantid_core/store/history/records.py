"""Observations as rows, and rows as observations.

All text is cleaned on its way in (see `limits.clean`).
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson
from pydantic import TypeAdapter

from plantid_core.derived import Derived
from plantid_core.errors import ObservationRefused
from plantid_core.plants import (
    Answer,
    AnswerStatus,
    Consensus,
    Organ,
    Place,
    Rung,
    Source,
    Suggestion,
    Taxon,
)
from plantid_core.store.history.limits import clean
from plantid_core.store.history.values import (
    Action,
    Circumstances,
    Determination,
    KeptPhoto,
    Observed,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from plantid_core.plants import AnswerError

    Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Error:
    """`AnswerError`, as a type that pydantic reads on every Python."""

    code: str
    message: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Body:
    """An `Answer`'s fields, as they are kept."""

    provider: str
    status: AnswerStatus
    source: Source
    sandbox: bool
    elapsed_ms: float
    age_s: float = 0.0
    is_plant: float | None = None
    suggestions: tuple[Suggestion, ...] = ()
    remaining: int | None = None
    project: str | None = None
    error: _Error | None = None


_BODY = TypeAdapter(_Body)
_CONSENSUS = TypeAdapter(Consensus)
_SUGGESTIONS = TypeAdapter(tuple[Suggestion, ...])
_TAXON = TypeAdapter(Taxon)
_RUNG: TypeAdapter[Rung] = TypeAdapter(Rung)
_ORGAN: TypeAdapter[Organ] = TypeAdapter(Organ)
_ACTION: TypeAdapter[Action] = TypeAdapter(Action)


@dataclass(frozen=True, slots=True)
class Rows:
    """One observation's rows."""

    observation: Row
    photos: tuple[Row, ...]
    answers: tuple[Row, ...]
    determinations: tuple[Row, ...] = ()


def rows_of(observed: Observed, cache_keys: Mapping[str, str]) -> Rows:
    """Return what is kept of it; raises `ObservationRefused` where that would not read back.

    What a service suggested, and the verdict, are the same objects for as long as they lie near: they
    are written out, and read back, once.
    """
    with _readable("an answer"):
        rows = Rows(
            {
                "owner": observed.owner,
                "id": observed.id,
                "made_at": observed.made_at,
                **circumstances_row(observed.circumstances),
                "language": clean(observed.language),
                "rung": observed.rung,
                "consensus": _consensus(observed.consensus),
            },
            tuple(_photo_row(photo) for photo in observed.photos),
            tuple(_answer_row(one, cache_keys.get(one.provider)) for one in observed.answers),
            tuple(determination_row(one) for one in observed.determinations),
        )
        _RUNG.validate_python(observed.rung)
        for photo in observed.photos:
            _ORGAN.validate_python(photo.organ)
    return rows


def circumstances_row(circumstances: Circumstances) -> dict[str, object]:
    """Return the columns of an observation that can be edited."""
    place = circumstances.place
    return {
        "observed_on": circumstances.observed_on,
        "latitude": None if place is None else float(place.latitude),
        "longitude": None if place is None else float(place.longitude),
        "uncertainty_m": circumstances.uncertainty_m,
        "recorded_by": clean(circumstances.recorded_by),
        "licence": clean(circumstances.licence),
    }


def determination_row(determination: Determination) -> dict[str, object]:
    """Return a determination's columns; raises `ObservationRefused` where they would not read back."""
    taxon = determination.taxon
    with _readable("a determination"):
        row = {
            "id": determination.id,
            "made_at": determination.made_at,
            "made_by": determination.made_by,
            "action": determination.action,
            "taxon": None if taxon is None else _json(asdict(taxon)),
            "names": "" if taxon is None else _names(taxon),
            "provider": _cleaned(determination.provider),
            "score": determination.score,
            "sandbox": determination.sandbox,
            "note": clean(determination.note),
        }
        _determination(row)
    return row


def observed_of(rows: Rows) -> Observed:
    """Return the observation that the rows hold; raises ValueError where they cannot be read."""
    row = rows.observation
    at = None if row["latitude"] is None else Place(row["latitude"], row["longitude"])
    return Observed(
        id=row["id"],
        owner=row["owner"],
        made_at=row["made_at"].astimezone(dt.UTC),
        circumstances=Circumstances(
            row["observed_on"], at, row["uncertainty_m"], row["recorded_by"], row["licence"]
        ),
        language=row["language"],
        photos=tuple(_photo(photo) for photo in rows.photos),
        answers=tuple(_answer(answer) for answer in rows.answers),
        consensus=_CONSENSUS.validate_json(row["consensus"]),
        rung=_RUNG.validate_python(row["rung"]),
        determinations=tuple(_determination(one) for one in rows.determinations),
    )


def cache_keys_of(rows: Rows) -> dict[str, str]:
    """Return where each provider's answer may be cached."""
    return {row["provider"]: row["cache_key"] for row in rows.answers if row["cache_key"]}


def folded(*names: str) -> str:
    """Return names as they are searched: in one case, each on a line, compatible letters made equal."""
    return unicodedata.normalize("NFKC", clean("\n".join(names))).casefold()


def _names(taxon: Taxon) -> str:
    return folded(taxon.scientific_name, *taxon.common_names)


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """Raise `ObservationRefused` for what would not read back: one such row would stop a whole export."""
    try:
        yield
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise ObservationRefused(what, "what JSON can hold", said) from None


def _photo_row(photo: KeptPhoto) -> dict[str, object]:
    return {
        "photo_id": photo.photo_id,
        "organ": photo.organ,
        "width": photo.width,
        "height": photo.height,
        "source_format": clean(photo.source_format),
    }


def _answer_row(answer: Answer, cache_key: str | None) -> dict[str, object]:
    names, suggestions = _suggested(answer.suggestions)
    body = {
        "provider": clean(answer.provider),
        "status": answer.status,
        "source": answer.source,
        "sandbox": answer.sandbox,
        "elapsed_ms": answer.elapsed_ms,
        "age_s": answer.age_s,
        "is_plant": answer.is_plant,
        "suggestions": (),
        "remaining": answer.remaining,
        "project": _cleaned(answer.project),
        "error": _cleaned(answer.error),
    }
    _BODY.validate_json(orjson.dumps(body))
    return {
        "provider": body["provider"],
        "status": answer.status,
        "sandbox": answer.sandbox,
        "cache_key": cache_key,
        "names": names,
        "body": orjson.dumps({**body, "suggestions": suggestions}).decode(),
    }


def _written_suggestions(suggestions: tuple[Suggestion, ...]) -> tuple[str, orjson.Fragment]:
    """Return the first one's names, and all of them as JSON that reads back."""
    written = orjson.dumps([_cleaned(asdict(one)) for one in suggestions])
    _SUGGESTIONS.validate_json(written)
    return (_names(suggestions[0].taxon) if suggestions else ""), orjson.Fragment(written)


def _written_consensus(consensus: Consensus) -> str:
    written = _json(asdict(consensus))
    _CONSENSUS.validate_json(written)
    return written


_suggested: Derived[tuple[Suggestion, ...], tuple[str, orjson.Fragment]] = Derived(
    _written_suggestions
)
_consensus: Derived[Consensus, str] = Derived(_written_consensus)


def _answer(row: Row) -> Answer:
    body = _BODY.validate_json(row["body"])
    error: AnswerError | None = None
    if (told := body.error) is not None:
        error = {"code": told.code, "message": told.message, "retry_after_s": told.retry_after_s}
    return Answer(
        provider=body.provider,
        status=body.status,
        source=body.source,
        sandbox=body.sandbox,
        elapsed_ms=body.elapsed_ms,
        age_s=body.age_s,
        is_plant=body.is_plant,
        suggestions=body.suggestions,
        remaining=body.remaining,
        project=body.project,
        error=error,
    )


def _photo(row: Row) -> KeptPhoto:
    organ = _ORGAN.validate_python(row["organ"])
    return KeptPhoto(row["photo_id"], organ, row["width"], row["height"], row["source_format"])


def _determination(row: Row) -> Determination:
    return Determination(
        id=row["id"],
        made_at=row["made_at"].astimezone(dt.UTC),
        made_by=row["made_by"],
        action=_ACTION.validate_python(row["action"]),
        taxon=None if row["taxon"] is None else _TAXON.validate_json(row["taxon"]),
        provider=row["provider"],
        score=row["score"],
        sandbox=row["sandbox"],
        note=row["note"],
    )


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(_cleaned(value)).decode()


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(inner) for inner in value]
    return value


def in_order(rows: Iterable[Row]) -> dict[int, list[Row]]:
    """Return the rows of many observations by the observation's number, each in their order."""
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["observation"], []).append(row)
    return found
