"""What the emulated Plant.id remembers: identifications, feedback, conversations; and its wording."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import string
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from plantid_core.plants import Taxon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plantid_core.providers.recognition import Recognition

_ALPHABET = string.ascii_letters + string.digits
_TOKEN_LENGTH = 15
_REMEMBERED = 10_000
_SYNONYMS = {"Citrus × aurantium": ("Citrus sinensis", "(L.) Osbeck")}
DISEASES = ("water-related issue", "mechanical damage", "light-related issue")
_LEAST_PROBABILITY = 0.001
_HEALTHY, _THRESHOLD = 0.9, 0.525
_PLANT_MASS, _EVEN = 0.05, 0.5
_GENERA_SHOWN = 5


@dataclass(slots=True)
class Record:
    """One identification or health assessment, as it was asked for and seen."""

    token: str
    kind: Literal["identification", "health"]
    custom_id: int | None
    inputs: dict[str, object]
    seen: Recognition
    created: float
    health: str | None = None
    raw: bool = False
    feedback: dict[str, object] = field(default_factory=dict)
    conversation: dict[str, object] | None = None


class Shelf:
    """The records, by token or custom id; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._custom: dict[str, str] = {}

    def put(self, record: Record) -> None:
        """Keep a record."""
        self._records[record.token] = record
        if record.custom_id is not None:
            self._custom[str(record.custom_id)] = record.token
        while len(self._records) > _REMEMBERED:
            self.delete(next(iter(self._records.values())))

    def find(self, key: str) -> Record | None:
        """Return the record with this token or custom id."""
        return self._records.get(self._custom.get(key, key))

    def delete(self, record: Record) -> None:
        """Forget a record."""
        self._records.pop(record.token, None)
        self._custom.pop(str(record.custom_id), None)


def new_token() -> str:
    """Return a token of the service's shape."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_TOKEN_LENGTH))


def entity_token(name: str) -> str:
    """Return the knowledge base's token for a name, reversible."""
    return name.encode().hex()


def entity_id(name: str) -> str:
    """Return an entity's id, of the service's shape: 16 hexadecimal digits."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def name_of(token: str) -> str | None:
    """Return the name behind a knowledge base's token."""
    try:
        return bytes.fromhex(token).decode()
    except ValueError:
        return None


def called(taxon: Taxon) -> str:
    """Return the name under which this service knows a taxon."""
    return _SYNONYMS.get(taxon.scientific_name, (taxon.scientific_name,))[0]


def _authority(taxon: Taxon) -> str:
    name, author = _SYNONYMS.get(
        taxon.scientific_name, (taxon.scientific_name, taxon.authorship or "")
    )
    return f"{name} {author}".strip()


def result(record: Record, details: list[str], language: str, media: str) -> dict[str, object]:
    """Return the ``result`` object of a finished record."""
    # The service's scale has its threshold at one half; the model's mass has it at 0.05.
    probability = record.seen.plant_mass / (record.seen.plant_mass + _PLANT_MASS)
    is_plant = {"probability": probability, "binary": probability >= _EVEN, "threshold": _EVEN}
    body: dict[str, object] = {"is_plant": is_plant}
    if record.kind == "identification" and record.health != "only":
        body["classification"] = {"suggestions": _names(record, details, language, media)}
    if record.kind == "health" or record.health is not None:
        body["is_healthy"] = {"probability": _HEALTHY, "binary": True, "threshold": _THRESHOLD}
        body["disease"] = {"suggestions": [_disease(details, language)]}
    return body


def _names(record: Record, details: list[str], language: str, media: str) -> object:
    similar = bool(record.inputs["similar_images"])

    def suggest(taxa: Sequence[tuple[Taxon, float]]) -> list[dict[str, object]]:
        told = [pair for pair in taxa if pair[1] >= _LEAST_PROBABILITY] or taxa[:1]
        return [_suggestion(*pair, details, language, media, similar=similar) for pair in told]

    if record.raw:
        genus = suggest(_genera(record)[:_GENERA_SHOWN])
        return {"species": suggest(record.seen.taxa), "genus": genus, "infraspecies": []}
    at_genus = record.inputs.get("classification_level") == "genus"
    return suggest(_genera(record) if at_genus else record.seen.taxa)


def _genera(record: Record) -> list[tuple[Taxon, float]]:
    masses: dict[tuple[str, str | None], float] = {}
    for taxon, mass in record.seen.taxa:
        genus = (taxon.genus or taxon.scientific_name, taxon.family)
        masses[genus] = masses.get(genus, 0.0) + mass
    genera = [
        (Taxon(name, rank="genus", family=family, genus=name), mass)
        for (name, family), mass in masses.items()
    ]
    return sorted(genera, key=lambda pair: -pair[1])


def _suggestion(
    taxon: Taxon,
    mass: float,
    details: list[str],
    language: str,
    media: str,
    *,
    similar: bool,
) -> dict[str, object]:
    name = called(taxon)
    return {
        "id": entity_id(name),
        "name": name,
        "probability": round(mass, 7),
        **({"similar_images": [_similar_image(name, media)]} if similar else {}),
        "details": describe(taxon, details, language, media),
    }


def _similar_image(name: str, media: str) -> dict[str, object]:
    url = _picture(name, media)
    return {
        "id": hashlib.sha256(url.encode()).hexdigest()[:40],
        "url": url,
        "url_small": url,
        "license_name": "CC0",
        "license_url": "https://creativecommons.org/publicdomain/zero/1.0/",
        "citation": "Plant-ID sandbox: a drawn placeholder, no botany",
        "similarity": 0.5,
    }


def _picture(name: str, media: str) -> str:
    return f"{media}/{name.replace(' ', '-')}.png"


def describe(taxon: Taxon, details: list[str], language: str, media: str) -> dict[str, object]:
    """Return the asked-for details; what the emulator does not know is null, as in the service."""
    image = {
        "value": _picture(called(taxon), media),
        "citation": "Plant-ID sandbox",
        "license_name": "CC0",
        "license_url": "https://creativecommons.org/publicdomain/zero/1.0/",
    }
    known: dict[str, object] = {
        "common_names": list(taxon.common_names),
        "taxonomy": {"genus": taxon.genus, "family": taxon.family, "kingdom": "Plantae"},
        "name_authority": _authority(taxon),
        "rank": taxon.rank,
        "image": image,
        "images": [image],
        "best_watering": "Sandbox text: keep the soil evenly moist.",
        "best_light_condition": "Sandbox text: a bright place.",
        "best_soil_type": "Sandbox text: well-drained soil.",
        "toxicity": "Sandbox text: never rely on this for safety.",
        "description": {**image, "value": "Sandbox text."},
    }
    asked = {name: known.get(name) for name in details}
    return {**asked, "language": language, "entity_id": entity_id(called(taxon))}


def _disease(details: list[str], language: str) -> dict[str, object]:
    name = DISEASES[0]
    return {
        "id": entity_id(name),
        "name": name,
        "probability": 0.1,
        "similar_images": [],
        "details": describe_disease(name, details, language),
    }


def describe_disease(name: str, details: list[str], language: str) -> dict[str, object]:
    """Return the asked-for details of a disease; what the emulator does not know is null."""
    known: dict[str, object] = {
        "local_name": name,
        "description": "Sandbox text.",
        "treatment": {"prevention": ["Sandbox text."]},
    }
    asked = {detail: known.get(detail) for detail in details}
    return {**asked, "language": language, "entity_id": entity_id(name)}


def now_iso() -> str:
    """Return the present moment as the service writes it."""
    return dt.datetime.now(dt.UTC).isoformat()
