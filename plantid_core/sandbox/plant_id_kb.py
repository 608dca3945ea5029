"""The emulated Plant.id's knowledge base: the plants and diseases that it can name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.providers.recognition import known_taxa
from plantid_core.sandbox import plant_id_question as question
from plantid_core.sandbox import plant_id_records as records

if TYPE_CHECKING:
    from starlette.requests import Request

KINDS = ("plants", "diseases")


def search(request: Request) -> dict[str, object]:
    """Return the entities whose names hold the query; raises `Refused`."""
    query = request.query_params.get("q") or request.query_params.get("query") or ""
    limit = question.limit(request)
    if not query:
        raise question.Refused(400, "Missing query.")
    hits = [name for name in _names(_kind(request)) if query.lower() in name.lower()]
    return {
        "entities": [_match(name, query) for name in hits[:limit]],
        "entities_trimmed": len(hits) > limit,
        "limit": limit,
    }


def entity(request: Request, media: str) -> dict[str, object]:
    """Return one entity with the details asked for; raises `Refused`."""
    kind, name = _kind(request), records.name_of(request.path_params["entity"])
    if name is None or name not in _names(kind):
        raise question.Refused(404, "The requested entity does not exist.")
    details, language = question.details(request), question.language(request)
    if kind == "diseases":
        return {"name": name, **records.describe_disease(name, details, language)}
    taxon = next(taxon for taxon in known_taxa() if records.called(taxon) == name)
    return {"name": name, **records.describe(taxon, details, language, media)}


def _kind(request: Request) -> str:
    kind = str(request.path_params["kind"])
    if kind not in KINDS:
        raise question.Refused(404, "Not Found")
    return kind


def _names(kind: str) -> list[str]:
    if kind == "diseases":
        return list(records.DISEASES)
    return [records.called(taxon) for taxon in known_taxa()]


def _match(name: str, query: str) -> dict[str, object]:
    return {
        "matched_in": name,
        "matched_in_type": "entity_name",
        "access_token": records.entity_token(name),
        "match_position": name.lower().index(query.lower()),
        "match_length": len(query),
    }
