"""The field's values: what is photographed, what a provider suggests, what a person is shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, runtime_checkable

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from plantid_core.deadline import Deadline

Organ = Literal["auto", "leaf", "flower", "fruit", "bark"]
ORGANS: tuple[Organ, ...] = ("auto", "leaf", "flower", "fruit", "bark")

ReplyStatus = Literal["ok", "no_match", "not_a_plant"]
AnswerStatus = Literal["ok", "no_match", "not_a_plant", "unavailable", "quota", "rejected"]
Source = Literal["upstream", "near", "redis", "stale", "local"]
Rung = Literal["fresh", "stale", "other", "offline", "none"]

# Providers that run on this machine: nothing is sent, nothing is charged.
LOCAL = frozenset({"offline", "herbarium"})
# What counts as an answer, be it that there is no name; the other statuses are a provider's silence.
HEARD: frozenset[AnswerStatus] = frozenset({"ok", "no_match", "not_a_plant"})

_RETRY_S = 60.0
_SHORTEST_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class ReferenceImage:
    """A picture the service shows beside a name; licence and citation as the service gave them."""

    url: str
    licence: str | None = None
    citation: str | None = None


@dataclass(frozen=True, slots=True)
class Care:
    """What a service says about growing and handling a plant; every field is its own free text."""

    watering: str | None = None
    light: str | None = None
    soil: str | None = None
    toxicity: str | None = None
    edible_parts: tuple[str, ...] = ()
    common_uses: str | None = None

    def __bool__(self) -> bool:
        """Tell whether anything at all was said."""
        return any(asdict(self).values())


@dataclass(frozen=True, slots=True)
class Taxon:
    """A name and its place in the tree. ``rank`` is lower case ("species", "genus", …)."""

    scientific_name: str
    authorship: str | None = None
    rank: str = "species"
    family: str | None = None
    genus: str | None = None
    common_names: tuple[str, ...] = ()
    gbif_id: int | None = None
    powo_id: str | None = None
    iucn: str | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A taxon with the provider's own score in 0…1 (a probability only where the provider says so)."""

    taxon: Taxon
    score: float
    images: tuple[ReferenceImage, ...] = ()
    care: Care | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: the taxon's fields and ours side by side."""
        return {
            **asdict(self.taxon),
            "score": self.score,
            "images": [asdict(image) for image in self.images],
            "care": asdict(self.care) if self.care else None,
        }


@dataclass(frozen=True, slots=True)
class Place:
    """Decimal degrees, WGS 84."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Picture:
    """One sanitised JPEG of the plant, and the organ it shows."""

    jpeg: bytes = field(repr=False)
    sha256: str
    organ: Organ = "auto"


@dataclass(frozen=True, slots=True)
class Observation:
    """One plant, one to five pictures: what is sent to every provider."""

    pictures: tuple[Picture, ...]
    place: Place | None = None
    date: dt.date | None = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider said. ``remaining`` is the service's own count of requests left, if it tells."""

    status: ReplyStatus
    suggestions: tuple[Suggestion, ...] = ()
    is_plant: float | None = None
    remaining: int | None = None
    project: str | None = None


class Provider(Protocol):
    """Anything that can identify an observation."""

    @property
    def name(self) -> str:
        """Return the stable identifier: ``plant_id``, ``plantnet``, ``offline``, …."""

    @property
    def sandbox(self) -> bool:
        """Tell whether an emulator answers in the service's stead."""

    @property
    def cache_scope(self) -> str:
        """Return all that shapes an answer besides the observation (endpoint, options); no secret."""

    def identify(self, observation: Observation, deadline: Deadline) -> Reply:
        """Return what the provider says; raises `ProviderError`."""


@runtime_checkable
class Metered(Protocol):
    """A provider that can be asked what is left, at no cost."""

    def remaining(self, deadline: Deadline) -> int | None:
        """Return how many requests are left, None where there is no limit; raises `ProviderError`."""


@runtime_checkable
class Occasional(Protocol):
    """A provider that is there at some times only."""

    @property
    def offered(self) -> bool:
        """Tell whether it can be asked now; costs next to nothing."""


class AnswerError(TypedDict):
    """Why a provider gave no answer."""

    code: str
    message: str
    retry_after_s: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One provider's entry in an outcome; never an exception."""

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
    error: AnswerError | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "provider": self.provider,
            "status": self.status,
            "source": self.source,
            "age_s": round(self.age_s, 3),
            "sandbox": self.sandbox,
            "elapsed_ms": round(self.elapsed_ms, 3),
            "is_plant": self.is_plant,
            "suggestions": [suggestion.to_dict() for suggestion in self.suggestions],
            "remaining": self.remaining,
            "project": self.project,
            "error": self.error,
        }


def earliest_retry_s(answers: Iterable[Answer]) -> float:
    """Return the least wait until a service may answer: what each told, else a minute.

    A service that refused this request will refuse it again; what runs on this machine tells no time.
    """
    waits = [
        _RETRY_S if answer.error["retry_after_s"] is None else answer.error["retry_after_s"]
        for answer in answers
        if answer.error and answer.status != "rejected" and answer.provider not in LOCAL
    ]
    return max(_SHORTEST_RETRY_S, min(waits, default=_RETRY_S))


@dataclass(frozen=True, slots=True)
class PhotoSummary:
    """What is told of a photo: never its bytes."""

    sha256: str
    width: int
    height: int
    format: str
    stripped: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsensusEntry:
    """A taxon that providers agree on; ``score`` in 0…1, ``providers`` their names."""

    scientific_name: str
    rank: str
    score: float
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consensus:
    """The joint ranking; ``abstained`` says why there is none."""

    suggestions: tuple[ConsensusEntry, ...] = ()
    abstained: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a request: its start after the request's own start, and its length, in ms."""

    stage: str
    start_ms: float
    ms: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything one request produced."""

    id: str
    photos: tuple[PhotoSummary, ...]
    answers: tuple[Answer, ...]
    consensus: Consensus
    rung: Rung
    degraded: tuple[str, ...]
    trace: tuple[Stage, ...]

    @property
    def sandbox(self) -> bool:
        """Tell whether any answer came from an emulator."""
        return any(answer.sandbox for answer in self.answers)

    @property
    def retry_after_s(self) -> float:
        """Return the seconds until the first silent provider may answer; a minute if none told."""
        return earliest_retry_s(self.answers)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON that the API and ``plantid identify --json`` give."""
        return {
            "id": self.id,
            "photos": [asdict(photo) for photo in self.photos],
            "answers": [answer.to_dict() for answer in self.answers],
            "consensus": asdict(self.consensus),
            "rung": self.rung,
            "degraded": list(self.degraded),
            "trace": [
                {
                    "stage": stage.stage,
                    "start_ms": round(stage.start_ms, 3),
                    "ms": round(stage.ms, 3),
                    "note": stage.note,
                }
                for stage in self.trace
            ],
        }
