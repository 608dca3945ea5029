"""What is sent and answered, as types: the OpenAPI document's schemas are made of them."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - pydantic reads the annotations
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from plantid_core.plants import AnswerStatus, Organ, Rung, Source  # noqa: TC001 - as above

Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Told(BaseModel):
    """What is answered: all of these fields, and no other."""

    model_config = ConfigDict(extra="forbid")


class Photo(_Told):
    """A photo as it was cleaned: never its bytes. ``stripped`` names the metadata taken from it."""

    sha256: Sha256
    width: int
    height: int
    format: str
    stripped: list[str]


class ReferenceImage(_Told):
    """A picture the service shows beside a name."""

    url: str
    licence: str | None
    citation: str | None


class Care(_Told):
    """What a service says about growing and handling a plant, in its own words."""

    watering: str | None
    light: str | None
    soil: str | None
    toxicity: str | None
    edible_parts: list[str]
    common_uses: str | None


class Taxon(_Told):
    """A name and its place in the tree."""

    scientific_name: str
    authorship: str | None
    rank: str
    family: str | None
    genus: str | None
    common_names: list[str]
    gbif_id: int | None
    powo_id: str | None
    iucn: str | None


class Suggestion(Taxon):
    """A taxon with the provider's own score, a probability only where the provider says so."""

    score: Share
    images: list[ReferenceImage]
    care: Care | None


class AnswerError(_Told):
    """Why a provider gave no answer."""

    code: str
    message: str
    retry_after_s: float | None


class Answer(_Told):
    """What one provider said, or why it did not."""

    provider: str
    status: AnswerStatus
    source: Source
    age_s: float
    sandbox: Annotated[bool, Field(description="An emulator answered, which knows no botany.")]
    elapsed_ms: float
    is_plant: float | None
    suggestions: list[Suggestion]
    remaining: Annotated[int | None, Field(description="Requests left, as the service counts.")]
    project: str | None
    error: AnswerError | None


class ConsensusEntry(_Told):
    """A taxon that providers agree on."""

    scientific_name: str
    rank: str
    score: float
    providers: list[str]


class Consensus(_Told):
    """The joint ranking; ``abstained`` says why there is none."""

    suggestions: list[ConsensusEntry]
    abstained: str | None


class Stage(_Told):
    """One step of a request: its start after the request's own, and its length, in milliseconds."""

    stage: str
    start_ms: float
    ms: float
    note: str


class Identification(_Told):
    """What one request found. ``degraded`` names what was not to be used: redis, history."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "042d4e3b9dbb4243ad9d1cbd997c45cf",
                    "photos": [
                        {
                            "sha256": "2917d00e610494441d7f6e5f7458413f"
                            "4b989230c592ee4d864dfaa721b43550",
                            "width": 640,
                            "height": 427,
                            "format": "JPEG",
                            "stripped": ["exif"],
                        }
                    ],
                    "answers": [
                        {
                            "provider": "plantnet",
                            "status": "unavailable",
                            "source": "upstream",
                            "age_s": 0.0,
                            "sandbox": False,
                            "elapsed_ms": 3004.2,
                            "is_plant": None,
                            "suggestions": [],
                            "remaining": None,
                            "project": None,
                            "error": {
                                "code": "timeout",
                                "message": "Pl@ntNet did not answer in time.",
                                "retry_after_s": 60.0,
                            },
                        }
                    ],
                    "consensus": {"suggestions": [], "abstained": "No service named a plant."},
                    "rung": "none",
                    "degraded": [],
                    "trace": [{"stage": "validate", "start_ms": 0.1, "ms": 41.3, "note": ""}],
                }
            ]
        }
    )

    id: str
    photos: list[Photo]
    answers: list[Answer]
    consensus: Consensus
    rung: Rung
    degraded: list[str]
    trace: list[Stage]


class KeptPhoto(_Told):
    """A photo that is kept, and its address, for its owner and admins."""

    sha256: Sha256
    organ: Organ
    width: int
    height: int
    format: str
    url: str


class LinkedPhoto(KeptPhoto):
    """A photo that is kept; ``link`` lets anybody see it for a quarter of an hour."""

    link: str


class Place(_Told):
    """Decimal degrees, WGS 84."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class Determination(_Told):
    """What a person decided; the last one stands."""

    id: str
    made_at: AwareDatetime
    made_by: str
    action: Literal["confirmed", "changed", "rejected"]
    taxon: Taxon | None
    provider: str | None
    score: float | None
    sandbox: bool
    note: str


class _Kept(_Told):
    id: str
    made_at: AwareDatetime
    observed_on: dt.date | None
    place: Place | None
    uncertainty_m: Annotated[float | None, Field(description="The place's radius.")]
    recorded_by: str
    licence: Annotated[str, Field(description="Empty: all rights reserved.")]
    language: str
    sandbox: bool
    consensus: Consensus
    rung: Rung
    determination: Determination | None


class KeptSummary(_Kept):
    """An identification as it stands in a list; all of it is at ``url``."""

    photos: list[KeptPhoto]
    url: str


class KeptIdentification(_Kept):
    """An identification as it is kept."""

    photos: list[LinkedPhoto]
    answers: list[Answer]
    determinations: list[Determination]


class KeptPage(_Told):
    """Identifications, newest first; ``after`` is what to ask the next page with, null at the end."""

    total: int
    after: str | None
    identifications: list[KeptSummary]


class Breaker(_Told):
    """How a breaker stands; shares are of the calls of its window."""

    name: str
    state: Literal["closed", "open", "half-open"]
    failures: int
    failure_rate: Share
    slow_rate: Share
    last_failure_at: AwareDatetime | None
    opened_at: AwareDatetime | None
    opens_until: AwareDatetime | None
    forced: Literal["forced-open", "disabled", "metrics-only"] | None


class Health(_Told):
    """The process lives."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Whether any provider can be asked, and how what is depended on stands."""

    ready: bool
    redis: Literal["ok", "down"]
    degraded: list[str]


class Problem(BaseModel):
    """Problem details (RFC 9457). ``instance`` is the request's id, as the log has it.

    ``code`` is a short stable word for programs; ``limit`` and ``value`` are the bound and what was
    found, ``layer`` the gate of the upload that refused a file (docs/upload-codes.md).
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Bad Request",
                    "status": 400,
                    "detail": "lat must be a number within -90 to 90.",
                    "instance": "5b50c48666964d098f5f75b68a7ea0c1",
                    "code": "parameter",
                    "field": "lat",
                    "limit": "a number within -90 to 90",
                    "value": "north",
                }
            ]
        }
    )

    type: Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    instance: str = ""
    code: str = ""
    field: str = ""
    layer: str = ""
    limit: float | str | None = None
    value: float | str | None = None
    detected: str | None = None
    scope: str = ""
    reason: str = ""
    retry_after_s: float = 1


ANSWERS: tuple[type[BaseModel], ...] = (
    Identification,
    KeptPage,
    KeptIdentification,
    Breaker,
    Health,
    Readiness,
    Problem,
)


class _Untitled(GenerateJsonSchema):
    """Without a title for every field: it only says the field's name again."""

    def field_title_should_be_set(self, schema: object) -> bool:
        """Say no."""
        del schema
        return False


def schemas() -> dict[str, object]:
    """Return the schemas by name (JSON Schema 2020-12), those they refer to among them."""
    mode: JsonSchemaMode = "serialization"
    _, found = models_json_schema(
        [(model, mode) for model in ANSWERS],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    named: dict[str, object] = found["$defs"]
    return named
