"""Pl@ntNet v2: POST /identify/{project}, its answer as a `Reply`."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

import orjson

from plantid_core.errors import ProviderError, ProviderQuotaExceeded, ProviderRejected
from plantid_core.plants import ReferenceImage, Reply, Suggestion, Taxon
from plantid_core.providers.http import Channel, FilePart, Response, Timeouts
from plantid_core.providers.reading import (
    UNREADABLE,
    checked,
    count,
    identifier,
    items,
    items_if_any,
    mapping,
    name,
    score,
    text,
)

if TYPE_CHECKING:
    from plantid_core.deadline import Deadline
    from plantid_core.plants import Observation, Place
    from plantid_core.providers import plantnet_json as wire

NAME = "plantnet"
TITLE = "Pl@ntNet"
WORLD = "all"

_IMAGES_SHOWN = 4
_LEFT_TODAY = re.compile(r'"dailyQuota"[^,]*?;\s*r=([0-9]{1,15})\s*(?:[;,]|$)')


@dataclass(frozen=True, slots=True)
class Project:
    """A regional flora: its identifier in the service, and its title for people."""

    id: str
    title: str


class PlantNet:
    """A client for one key. ``base_url`` has no path: the v2 path is added here."""

    name = NAME

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        sandbox: bool = False,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.sandbox = sandbox
        self.cache_scope = "sandbox" if sandbox else base_url
        self._key = api_key
        self._projects: dict[tuple[int, int], Project] = {}
        self._channel = Channel(
            NAME, base_url, secret=api_key, timeouts=timeouts or Timeouts(), direct=sandbox
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._channel.close()

    def identify(self, observation: Observation, deadline: Deadline) -> Reply:
        """Return the service's ranked species; raises `ProviderError`. One request a call.

        The service takes no place: where one is given, the flora of that region is asked.
        """
        project = self.project_for(observation.place, deadline) if observation.place else None
        response = self._channel.send(
            "POST",
            f"/v2/identify/{quote(project.id, safe='') if project else WORLD}",
            deadline,
            params={
                "api-key": self._key,
                "lang": observation.language,
                "include-related-images": "true",
            },
            data=[("organs", picture.organ) for picture in observation.pictures],
            files=_pictures(observation),
        )
        if _is_no_match(response):
            left = _left_today(response)
            return Reply("no_match", remaining=left, project=project.id if project else WORLD)
        if response.status != HTTPStatus.OK:
            raise self._fault(response)
        identification = cast("wire.Identification", self._channel.parse(response))
        # Not chained to ours: what cannot be read may hold an echo of the key.
        with suppress(*UNREADABLE):
            return checked(_reply(identification, project, _left_today(response)))
        raise self._channel.malformed()

    def project_for(self, place: Place, deadline: Deadline) -> Project:
        """Return the flora that the service ranks first for a place; raises `ProviderError`.

        Remembered for each whole degree, since the answer changes no finer than regions do.
        """
        cell = (round(place.latitude), round(place.longitude))
        if cell not in self._projects:
            self._projects[cell] = self._ask_for_project(place, deadline)
        return self._projects[cell]

    def _ask_for_project(self, place: Place, deadline: Deadline) -> Project:
        response = self._channel.send(
            "GET",
            "/v2/projects",
            deadline,
            params={
                "api-key": self._key,
                "lat": f"{place.latitude:.2f}",
                "lon": f"{place.longitude:.2f}",
            },
        )
        if response.status != HTTPStatus.OK:
            raise self._fault(response)
        ranked = cast("list[wire.Project]", self._channel.parse_list(response))
        with suppress(*UNREADABLE):
            first = ranked[0]
            return Project(name(first["id"]), text(first.get("title")) or first["id"])
        raise self._channel.malformed()

    def _fault(self, response: Response) -> ProviderError:
        said = self._channel.quoted(_message(response))
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            return ProviderQuotaExceeded(
                NAME, "quota", f"Pl@ntNet: {said}", retry_after_s=response.retry_after_s
            )
        if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return ProviderRejected(NAME, "key", f"Pl@ntNet did not accept the API key: {said}")
        if response.refuses:
            return ProviderRejected(NAME, f"http_{response.status}", f"Pl@ntNet: {said}")
        return self._channel.outage(response)


def _pictures(observation: Observation) -> list[FilePart]:
    return [
        ("images", (f"{index}.jpg", picture.jpeg, "image/jpeg"))
        for index, picture in enumerate(observation.pictures, start=1)
    ]


def _is_no_match(response: Response) -> bool:
    """Tell the answer "Species not found" from a wrong address: both are 404."""
    return response.status == HTTPStatus.NOT_FOUND and "species not found" in (
        _message(response).lower()
    )


def _message(response: Response) -> str:
    try:
        return str(cast("wire.Fault", orjson.loads(response.body))["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return response.text


def _left_today(response: Response) -> int | None:
    """Return what the RateLimit header says is left of the day, None where it does not."""
    found = _LEFT_TODAY.search(response.headers.get("ratelimit", ""))
    return int(found[1]) if found else None


def _reply(
    identification: wire.Identification, project: Project | None, left_today: int | None
) -> Reply:
    suggestions = tuple(
        sorted(
            (_suggestion(result) for result in items(identification["results"])),
            key=lambda suggestion: suggestion.score,
            reverse=True,
        )
    )
    remaining = count(identification.get("remainingIdentificationRequests"))
    return Reply(
        "ok" if suggestions else "no_match",
        suggestions,
        remaining=left_today if remaining is None else remaining,
        project=project.id if project else WORLD,
    )


def _suggestion(result: wire.Result) -> Suggestion:
    species = result["species"]
    genus, family = mapping(species.get("genus")), mapping(species.get("family"))
    gbif, powo = mapping(result.get("gbif")), mapping(result.get("powo"))
    iucn = mapping(result.get("iucn"))
    called = name(species["scientificNameWithoutAuthor"])
    taxon = Taxon(
        scientific_name=called,
        authorship=text(species.get("scientificNameAuthorship")) or None,
        rank="species" if " " in called else "genus",
        family=family.get("scientificNameWithoutAuthor") if family else None,
        genus=genus.get("scientificNameWithoutAuthor") if genus else None,
        common_names=tuple(items_if_any(species.get("commonNames"))),
        gbif_id=identifier(gbif.get("id")) if gbif else None,
        powo_id=powo.get("id") if powo else None,
        iucn=iucn.get("category") if iucn else None,
    )
    shown = map(_image, items_if_any(result.get("images"))[:_IMAGES_SHOWN])
    return Suggestion(taxon, score(result["score"]), tuple(filter(None, shown)))


def _image(image: wire.Image) -> ReferenceImage | None:
    sizes = mapping(image.get("url"))
    if not sizes:
        return None
    address = text(sizes.get("s")) or text(sizes.get("m")) or text(sizes.get("o"))
    citation = text(image.get("citation")) or text(image.get("author"))
    return ReferenceImage(address, text(image.get("license")), citation) if address else None
