"""The JSON of Plant.id v3, as far as it is read here (vendor's documentation and SDK, 2023-2026)."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Judgement(TypedDict):
    """A yes/no question answered with a probability."""

    probability: float
    binary: bool
    threshold: NotRequired[float]


class SimilarImage(TypedDict):
    """A reference picture; the licence fields are there only where the source has them."""

    id: str
    url: str
    url_small: NotRequired[str]
    similarity: float
    license_name: NotRequired[str]
    license_url: NotRequired[str]
    citation: NotRequired[str]


class Details(TypedDict, total=False):
    """What was asked for by ``details=``; any of it may be null."""

    common_names: list[str] | None
    taxonomy: dict[str, str] | None
    name_authority: str | None
    rank: str | None
    gbif_id: int | None
    watering: dict[str, int] | None
    best_watering: str | None
    best_light_condition: str | None
    best_soil_type: str | None
    common_uses: str | None
    toxicity: str | None
    edible_parts: list[str] | None
    language: str
    entity_id: str


class Suggestion(TypedDict):
    """One name."""

    id: str
    name: str
    probability: float
    similar_images: NotRequired[list[SimilarImage]]
    details: NotRequired[Details]


class Classification(TypedDict):
    """The ranked names."""

    suggestions: list[Suggestion]


class Result(TypedDict):
    """``is_plant`` was missing from health-only answers of 2023."""

    is_plant: NotRequired[Judgement]
    classification: NotRequired[Classification]


class Identification(TypedDict):
    """The 201 answer; ``result`` is absent while an asynchronous job runs."""

    access_token: str
    model_version: str
    status: str
    result: NotRequired[Result]


class Remaining(TypedDict):
    """Credits left in each window; None means no limit."""

    day: int | None
    week: int | None
    month: int | None
    total: int | None


class UsageInfo(TypedDict):
    """GET /usage_info."""

    active: bool
    remaining: Remaining
