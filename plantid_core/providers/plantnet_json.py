"""The JSON of Pl@ntNet v2, as far as it is read here (vendor's public documentation, 2023-2026)."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Name(TypedDict):
    """A name of any rank, in its three forms."""

    scientificNameWithoutAuthor: str
    scientificNameAuthorship: NotRequired[str]
    scientificName: NotRequired[str]


class Species(Name):
    """A species with its genus, family and vernacular names."""

    genus: NotRequired[Name]
    family: NotRequired[Name]
    commonNames: NotRequired[list[str]]


class ImageUrl(TypedDict):
    """The same picture in original, medium and small size."""

    o: NotRequired[str]
    m: NotRequired[str]
    s: NotRequired[str]


class Image(TypedDict):
    """A reference picture."""

    organ: NotRequired[str]
    author: NotRequired[str]
    license: NotRequired[str]
    citation: NotRequired[str]
    url: ImageUrl


class GbifId(TypedDict):
    """GBIF's key, as a string."""

    id: str


class PowoId(TypedDict):
    """Plants of the World Online's identifier."""

    id: str


class Iucn(TypedDict):
    """The Red List's category ("LC", "EN", …)."""

    id: NotRequired[str]
    category: NotRequired[str]


class Result(TypedDict):
    """One ranked species."""

    score: float
    species: Species
    images: NotRequired[list[Image]]
    gbif: NotRequired[GbifId | None]
    powo: NotRequired[PowoId | None]
    iucn: NotRequired[Iucn | None]


class Identification(TypedDict):
    """The 200 answer."""

    results: list[Result]
    bestMatch: NotRequired[str]
    version: NotRequired[str]
    remainingIdentificationRequests: NotRequired[int]


class Project(TypedDict):
    """A flora one can ask against; ``/projects`` ranks them by place."""

    id: str
    title: NotRequired[str]


class Fault(TypedDict):
    """Every error's body."""

    statusCode: int
    error: str
    message: str
