"""Pl@ntNet v2: POST /identify/{project}, its answer as a `Reply`."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import orjson

from plantid_core.errors import ProviderError, ProviderQuotaExceeded, ProviderRejected
from plantid_core.plants import ReferenceImage, Reply, Suggestion, Taxon
from plantid_core.providers.http import Channel, FilePart, Response, Timeouts, count, score

if TYPE_CHECKING:
    from plantid_core.deadline import Deadline
    from plantid_core.plants import Observation, Place
    from plantid_core.providers import plantnet_json as wire

NAME = "plantnet"
TITLE = "Pl@ntNet"
WORLD = "all"

_IMAGES_SHOWN = 4


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
            f"/v2/identify/{project.id if project else WORLD}",
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
            return Reply("no_match", project=project.id if project else WORLD)
        if response.status != HTTPStatus.OK:
            raise self._fault(response)
        identification = cast("wire.Identification", self._channel.parse(response))
        try:
            return _reply(identification, project)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._channel.malformed() from error

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
        try:
            first = ranked[0]
            return Project(str(first["id"]), str(first.get("title") or first["id"]))
        except (LookupError, TypeError, AttributeError) as error:
            raise self._channel.malformed() from error

    def _fault(self, response: Response) -> ProviderError:
        said = self._channel.redact(_message(response))
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            return ProviderQuotaExceeded(
                NAME, "quota", f"Pl@ntNet: {said}", retry_after_s=response.retry_after_s
            )
        if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return ProviderRejected(NAME, "key", f"Pl@ntNet did not accept the API key: {said}")
        if HTTPStatus.BAD_REQUEST <= response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
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
        return str(cast("wire.Fault", orjson.loads(response.body))["message"])[:300]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return response.text


def _reply(identification: wire.Identification, project: Project | None) -> Reply:
    suggestions = tuple(
        sorted(
            (_suggestion(result) for result in identification["results"]),
            key=lambda suggestion: suggestion.score,
            reverse=True,
        )
    )
    return Reply(
        "ok" if suggestions else "no_match",
        suggestions,
        remaining=count(identification.get("remainingIdentificationRequests")),
        project=project.id if project else WORLD,
    )


def _suggestion(result: wire.Result) -> Suggestion:
    species = result["species"]
    genus, family = species.get("genus"), species.get("family")
    gbif, powo, iucn = result.get("gbif"), result.get("powo"), result.get("iucn")
    name = str(species["scientificNameWithoutAuthor"])
    taxon = Taxon(
        scientific_name=name,
        authorship=species.get("scientificNameAuthorship") or None,
        rank="species" if " " in name else "genus",
        family=family["scientificNameWithoutAuthor"] if family else None,
        genus=genus["scientificNameWithoutAuthor"] if genus else None,
        common_names=tuple(map(str, species.get("commonNames") or ())),
        gbif_id=int(gbif["id"]) if gbif else None,
        powo_id=str(powo["id"]) if powo else None,
        iucn=iucn.get("category") if iucn else None,
    )
    shown = (result.get("images") or ())[:_IMAGES_SHOWN]
    return Suggestion(taxon, score(result["score"]), tuple(map(_image, shown)))


def _image(image: wire.Image) -> ReferenceImage:
    sizes = image["url"]
    address = sizes.get("s") or sizes.get("m") or sizes["o"]
    citation = image.get("citation") or image.get("author")
    return ReferenceImage(str(address), image.get("license"), citation)
