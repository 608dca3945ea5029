"""Plant.id v3 (Kindwise): POST /identification, its answer as a `Reply`."""

from __future__ import annotations

import base64
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

import orjson

from plantid_core.errors import ProviderError, ProviderQuotaExceeded, ProviderRejected
from plantid_core.plants import Care, ReferenceImage, Reply, Suggestion, Taxon
from plantid_core.providers.http import Channel, Response, Timeouts
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
    verdict,
)

if TYPE_CHECKING:
    from plantid_core.deadline import Deadline
    from plantid_core.plants import Observation
    from plantid_core.providers import plant_id_json as wire

NAME = "plant_id"
TITLE = "Plant.id"

_DETAILS = (
    "common_names,taxonomy,name_authority,rank,gbif_id,watering,best_watering,"
    "best_light_condition,best_soil_type,common_uses,toxicity,edible_parts"
)
_IMAGES_SHOWN = 4


class PlantId:
    """A client for one key. ``base_url`` has no path: the v3 path is added here."""

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
        self._channel = Channel(
            NAME, base_url, secret=api_key, timeouts=timeouts or Timeouts(), direct=sandbox
        )

    def close(self) -> None:
        """Close the pooled connections."""
        self._channel.close()

    def identify(self, observation: Observation, deadline: Deadline) -> Reply:
        """Return the service's ranked names; raises `ProviderError`. One credit a call."""
        response = self._channel.send(
            "POST",
            "/api/v3/identification",
            deadline,
            params={"details": _DETAILS, "language": observation.language},
            headers={"Api-Key": self._key, "Content-Type": "application/json"},
            data=orjson.dumps(_question(observation)),
        )
        if response.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise self._fault(response)
        identification = cast("wire.Identification", self._channel.parse(response))
        # Not chained to ours: what cannot be read may hold an echo of the key.
        with suppress(*UNREADABLE):
            return checked(_reply(identification))
        raise self._channel.malformed()

    def remaining(self, deadline: Deadline) -> int | None:
        """Return the fewest credits left in any window, None where there is no limit."""
        response = self._channel.send(
            "GET", "/api/v3/usage_info", deadline, headers={"Api-Key": self._key}
        )
        if response.status != HTTPStatus.OK:
            raise self._fault(response)
        usage = cast("wire.UsageInfo", self._channel.parse(response))
        with suppress(*UNREADABLE):
            windows = usage["remaining"]
            left = (windows["day"], windows["week"], windows["month"], windows["total"])
            known = [told for told in map(count, left) if told is not None]
            return min(known, default=None)
        raise self._channel.malformed()

    def _fault(self, response: Response) -> ProviderError:
        said = self._channel.quoted(response.text)
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            return ProviderQuotaExceeded(
                NAME, "quota", f"Plant.id: {said}", retry_after_s=response.retry_after_s
            )
        if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return ProviderRejected(NAME, "key", f"Plant.id did not accept the API key: {said}")
        if response.refuses:
            return ProviderRejected(NAME, f"http_{response.status}", f"Plant.id: {said}")
        return self._channel.outage(response)


def _question(observation: Observation) -> dict[str, object]:
    question: dict[str, object] = {
        "images": [base64.b64encode(picture.jpeg).decode() for picture in observation.pictures],
        "similar_images": True,
    }
    if observation.place is not None:
        question["latitude"] = observation.place.latitude
        question["longitude"] = observation.place.longitude
    if observation.date is not None:
        question["datetime"] = observation.date.isoformat()
    return question


def _reply(identification: wire.Identification) -> Reply:
    result = identification["result"]
    judgement = mapping(result.get("is_plant"))
    probability = score(judgement["probability"]) if judgement else None
    if judgement and not verdict(judgement["binary"]):
        return Reply("not_a_plant", is_plant=probability)
    names = items(result["classification"]["suggestions"])
    suggestions = tuple(sorted(map(_suggestion, names), key=lambda s: s.score, reverse=True))
    return Reply("ok" if suggestions else "no_match", suggestions, is_plant=probability)


def _suggestion(suggested: wire.Suggestion) -> Suggestion:
    details = mapping(suggested.get("details")) or {}
    taxonomy = mapping(details.get("taxonomy")) or {}
    called = name(suggested["name"])
    taxon = Taxon(
        scientific_name=called,
        authorship=_authorship(called, text(details.get("name_authority"))),
        rank=(text(details.get("rank")) or ("species" if " " in called else "genus")).lower(),
        family=taxonomy.get("family"),
        genus=taxonomy.get("genus"),
        common_names=tuple(items_if_any(details.get("common_names"))),
        gbif_id=identifier(details.get("gbif_id")),
    )
    images = items_if_any(suggested.get("similar_images"))[:_IMAGES_SHOWN]
    return Suggestion(
        taxon, score(suggested["probability"]), tuple(map(_image, images)), _care(details)
    )


def _authorship(called: str, authority: str | None) -> str | None:
    """Return the author alone: the service gives the whole name with its author."""
    return (authority or "").removeprefix(called).strip() or None


def _image(image: wire.SimilarImage) -> ReferenceImage:
    return ReferenceImage(
        text(image.get("url_small")) or image["url"],
        image.get("license_name"),
        image.get("citation"),
    )


def _care(details: wire.Details) -> Care | None:
    care = Care(
        watering=text(details.get("best_watering")),
        light=text(details.get("best_light_condition")),
        soil=text(details.get("best_soil_type")),
        toxicity=text(details.get("toxicity")),
        edible_parts=tuple(items_if_any(details.get("edible_parts"))),
        common_uses=text(details.get("common_uses")),
    )
    return care or None
