"""One observation as Darwin Core: an occurrence, its photos, its identifications.

``basisOfRecord`` is HumanObservation: a person saw the plant and took the photo, whoever named it
after. Who named it stands in the identification: PredictedByMachine, or ValidatedByHuman.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from plantid_core.export.release import SANDBOX_MARK
from plantid_core.palette import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plantid_core.export.release import Named, Released
    from plantid_core.plants import Taxon
    from plantid_core.store.history.values import Determination, KeptPhoto

    Cells = dict[str, str | float | None]

PREDICTED, VALIDATED = "PredictedByMachine", "ValidatedByHuman"
ALL_RIGHTS = "All rights reserved"

_SOFTWARE = {
    "plant_id": "Plant.id API v3",
    "plantnet": "Pl@ntNet API v2",
    "offline": "EfficientNet-Lite0 and -Lite1 (ImageNet)",
    "herbarium": "local herbarium (EfficientNet-Lite0 features)",
}
# As SPDX writes them, and as people do: CC-BY-4.0, CC BY 4.0.
_CC = re.compile(r"CC[ -](BY|BY-SA|BY-NC|BY-ND|BY-NC-SA|BY-NC-ND)[ -](\d\.\d)", re.IGNORECASE)
_CC0 = re.compile(r"CC0([ -]1\.0)?", re.IGNORECASE)


@cache
def made_with() -> str:
    """Return this software's name and version."""
    try:
        return f"plantid {metadata.version('plantid')}"
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return "plantid"


def occurrence_id(observation_id: str) -> str:
    """Return the record's name for good: the observation's own UUID, as a URN."""
    try:
        return uuid.UUID(observation_id).urn
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, f"plantid:{observation_id}").urn


def licence_address(licence: str) -> str:
    """Return the address that GBIF knows a Creative Commons licence by; others as they are given."""
    if not (given := licence.strip()):
        return ALL_RIGHTS
    if _CC0.fullmatch(given):
        return "http://creativecommons.org/publicdomain/zero/1.0/legalcode"
    if found := _CC.fullmatch(given):
        kind, version = found[1].lower(), found[2]
        return f"http://creativecommons.org/licenses/{kind}/{version}/legalcode"
    return given


def occurrence(told: Released, named: Named, media: dict[str, str]) -> Cells:
    """Return the occurrence's cells; ``media`` has each photo's identifier by its id."""
    known, place = told.circumstances, told.circumstances.place
    decided = named.determination
    cells: Cells = {
        "occurrenceID": occurrence_id(told.observed.id),
        "basisOfRecord": "HumanObservation",
        "occurrenceStatus": "present",
        "eventDate": known.observed_on.isoformat() if known.observed_on else None,
        "recordedBy": known.recorded_by,
        "license": licence_address(known.licence),
        "rightsHolder": known.recorded_by,
        "associatedMedia": " | ".join(media.values()),
        "occurrenceRemarks": SANDBOX_MARK if told.sandbox else None,
        "dynamicProperties": json.dumps({"sandbox": True}) if told.sandbox else None,
        **_taxon(named.taxon),
        **(_by_person(decided) if decided else _by_machines(told, named)),
    }
    if place is not None:
        cells |= {
            "decimalLatitude": place.latitude,
            "decimalLongitude": place.longitude,
            "geodeticDatum": "EPSG:4326",
            "coordinateUncertaintyInMeters": known.uncertainty_m,
        }
    if told.rule is not None:
        grid = f"{told.rule.grid_degrees:g}°"
        if place is not None:
            cells["dataGeneralizations"] = (
                f"Coordinates are those of the centre of a {grid} x {grid} cell of a fixed grid."
            )
        cells["informationWithheld"] = (
            f"Exact place and notes: {told.rule.scientific_name}, {told.rule.reason}"
            f" ({told.rule.source})."
        )
    return cells


def multimedia(told: Released, photo: KeptPhoto, identifier: str) -> Cells:
    """Return the cells of a photo."""
    known = told.circumstances
    return {
        "type": "StillImage",
        "format": "image/jpeg",
        "identifier": identifier,
        "description": None if photo.organ == "auto" else photo.organ,
        "created": known.observed_on.isoformat() if known.observed_on else None,
        "creator": known.recorded_by,
        "license": licence_address(known.licence),
        "rightsHolder": known.recorded_by,
    }


def identifications(told: Released) -> Iterator[Cells]:
    """Give the cells of every identification: suggestions first, then determinations, oldest first."""
    base = occurrence_id(told.observed.id)
    emulated = _emulated(told)
    for answer in told.answers:
        for rank, suggestion in enumerate(answer.suggestions, start=1):
            yield {
                "identificationID": f"{base}#{answer.provider}-{rank}",
                **_taxon(suggestion.taxon),
                "identifiedBy": _title(answer.provider, emulated),
                "dateIdentified": told.observed.made_at.isoformat(),
                "identificationVerificationStatus": PREDICTED,
                "identificationReferences": _references((answer.provider,), emulated),
                "identificationRemarks": _remarks(
                    answer.sandbox, f"suggestion {rank}, score {suggestion.score:.4f}"
                ),
            }
    for decided in told.determinations:
        # A rejection names no taxon; it is told, since the history would read wrongly without it.
        yield {
            "identificationID": occurrence_id(decided.id),
            **(_taxon(decided.taxon) if decided.taxon else {}),
            **_by_person(decided),
        }


def media_identifier(photo_id: str) -> str:
    """Return a photo's name by its content (RFC 6920), for one that lies nowhere on the network."""
    digest = base64.urlsafe_b64encode(bytes.fromhex(photo_id)).decode().rstrip("=")
    return f"ni:///sha-256;{digest}"


def _taxon(taxon: Taxon) -> Cells:
    genus = taxon.genus
    if genus is None and taxon.rank in {"species", "genus"}:
        genus = next(iter(taxon.scientific_name.replace("×", " ").split()), None)
    return {
        "scientificName": taxon.scientific_name,
        "scientificNameAuthorship": taxon.authorship,
        "taxonRank": taxon.rank,
        "kingdom": "Plantae",
        "family": taxon.family,
        "genus": genus,
        "taxonID": f"https://www.gbif.org/species/{taxon.gbif_id}" if taxon.gbif_id else None,
    }


def _by_person(decided: Determination) -> Cells:
    said: list[str] = [decided.action]
    suggested = (decided.provider,) if decided.provider else ()
    emulated = frozenset(suggested if decided.sandbox else ())
    if decided.provider is not None:
        score = "" if decided.score is None else f", score {decided.score:.4f}"
        said.append(f"suggested by {_title(decided.provider, emulated)}{score}")
    if decided.note:
        said.append(decided.note)
    return {
        "identifiedBy": decided.made_by,
        "dateIdentified": decided.made_at.isoformat(),
        "identificationVerificationStatus": VALIDATED,
        "identificationReferences": _references(suggested, emulated),
        "identificationRemarks": _remarks(decided.sandbox, "; ".join(said)),
    }


def _by_machines(told: Released, named: Named) -> Cells:
    emulated = _emulated(told)
    score = "" if named.score is None else f", joint score {named.score:.4f}"
    return {
        "identifiedBy": " | ".join(_title(provider, emulated) for provider in named.providers),
        "dateIdentified": told.observed.made_at.isoformat(),
        "identificationVerificationStatus": PREDICTED,
        "identificationReferences": _references(named.providers, emulated),
        # Whoever leads a joint ranking: the sandbox had a vote.
        "identificationRemarks": _remarks(bool(emulated), f"joint ranking{score}"),
    }


def _emulated(told: Released) -> frozenset[str]:
    """Return the providers whom the sandbox answered for."""
    return frozenset(answer.provider for answer in told.answers if answer.sandbox)


def _references(providers: tuple[str, ...], emulated: frozenset[str]) -> str:
    software = [
        _marked(_SOFTWARE[provider], provider, emulated)
        if provider in _SOFTWARE
        else _title(provider, emulated)
        for provider in providers
    ]
    return " | ".join([*software, made_with()])


def _remarks(sandbox: bool, text: str) -> str:  # noqa: FBT001 - the mark goes before the text
    return f"{SANDBOX_MARK}; {text}" if sandbox else text


def _title(provider: str, emulated: frozenset[str]) -> str:
    return _marked(TITLES.get(provider, provider), provider, emulated)


def _marked(name: str, provider: str, emulated: frozenset[str]) -> str:
    return f"{name} (sandbox)" if provider in emulated else name
