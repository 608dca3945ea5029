"""Answers that are JSON, but not of the promised shape: the provider itself tells them apart."""

from __future__ import annotations

import copy
import json
import traceback
from contextlib import closing
from typing import cast

import orjson
import pytest
from loopback import serving, told
from pydantic import TypeAdapter

from plantid_core.deadline import Deadline
from plantid_core.errors import ProviderUnavailable
from plantid_core.plants import Observation, Picture, Place, Reply
from plantid_core.providers.plant_id import PlantId
from plantid_core.providers.plantnet import PlantNet
from plantid_core.resilience.envelope import encode

KEY = "planted-secret"
PICTURES = (Picture(b"jpeg", "0" * 64),)

PLANTNET = {
    "results": [
        {
            "score": 0.9,
            "species": {
                "scientificNameWithoutAuthor": "Dahlia pinnata",
                "scientificNameAuthorship": "Cav.",
                "genus": {"scientificNameWithoutAuthor": "Dahlia"},
                "family": {"scientificNameWithoutAuthor": "Asteraceae"},
                "commonNames": ["dahlia"],
            },
            "images": [{"url": {"s": "http://x/s"}, "license": "cc0", "author": "A"}],
            "gbif": {"id": "123"},
            "powo": {"id": "77-1"},
            "iucn": {"id": "1", "category": "LC"},
        }
    ],
    "remainingIdentificationRequests": 400,
}
PLANT_ID = {
    "result": {
        "is_plant": {"probability": 0.99, "binary": True},
        "classification": {
            "suggestions": [
                {
                    "id": "1",
                    "name": "Dahlia pinnata",
                    "probability": 0.9,
                    "similar_images": [{"id": "a", "url": "http://x", "license_name": "CC0"}],
                    "details": {
                        "common_names": ["dahlia"],
                        "taxonomy": {"family": "Asteraceae", "genus": "Dahlia"},
                        "name_authority": "Dahlia pinnata Cav.",
                        "rank": "species",
                        "gbif_id": 123,
                        "best_watering": "Often.",
                        "edible_parts": ["tuber"],
                    },
                }
            ]
        },
    }
}
SPECIES = ("results", 0, "species")
NAME = ("result", "classification", "suggestions", 0)
DETAILS = (*NAME, "details")

BODIES: dict[type[PlantId | PlantNet], object] = {PlantId: PLANT_ID, PlantNet: PLANTNET}


def changed(body: object, path: tuple[str | int, ...], value: object) -> bytes:
    """Return the body with another value at one place."""
    whole = copy.deepcopy(body)
    node = whole
    for part in path[:-1]:
        node = cast("dict[str | int, object]", node)[part]
    cast("dict[str | int, object]", node)[path[-1]] = value
    return json.dumps(whole).encode()


def identify(provider: type[PlantId | PlantNet], body: bytes) -> Reply:
    """Return what a provider makes of a service's good answer with this body."""
    with serving(told(body)) as service, closing(provider(service.url, KEY)) as client:
        return client.identify(Observation(PICTURES), Deadline.after(5))


@pytest.mark.parametrize("wrong", [5, True, "", "text", [], ["x"], {}, {"a": 1}])
@pytest.mark.parametrize(
    ("provider", "path", "right"),
    [
        (PlantNet, ("results",), (list,)),
        (PlantNet, ("results", 0), ()),
        (PlantNet, ("results", 0, "score"), (int,)),
        (PlantNet, SPECIES, ()),
        (PlantNet, (*SPECIES, "scientificNameWithoutAuthor"), (str,)),
        (PlantNet, (*SPECIES, "scientificNameAuthorship"), (str,)),
        (PlantNet, (*SPECIES, "family"), (dict,)),
        (PlantNet, (*SPECIES, "family", "scientificNameWithoutAuthor"), (str,)),
        (PlantNet, (*SPECIES, "genus", "scientificNameWithoutAuthor"), (str,)),
        (PlantNet, (*SPECIES, "commonNames"), (list,)),
        (PlantNet, (*SPECIES, "commonNames", 0), (str,)),
        (PlantNet, ("results", 0, "images"), (list,)),
        (PlantNet, ("results", 0, "images", 0), (dict,)),
        (PlantNet, ("results", 0, "images", 0, "url", "s"), (str,)),
        (PlantNet, ("results", 0, "images", 0, "license"), (str,)),
        (PlantNet, ("results", 0, "images", 0, "author"), (str,)),
        (PlantNet, ("results", 0, "gbif"), (dict,)),
        (PlantNet, ("results", 0, "gbif", "id"), (int,)),
        (PlantNet, ("results", 0, "powo", "id"), (str,)),
        (PlantNet, ("results", 0, "iucn", "category"), (str,)),
        (PlantId, ("result",), ()),
        (PlantId, ("result", "is_plant"), (dict,)),
        (PlantId, ("result", "is_plant", "probability"), (int,)),
        (PlantId, ("result", "is_plant", "binary"), (bool,)),
        (PlantId, ("result", "classification"), ()),
        (PlantId, ("result", "classification", "suggestions"), (list,)),
        (PlantId, (*NAME, "name"), (str,)),
        (PlantId, (*NAME, "probability"), (int,)),
        (PlantId, (*NAME, "similar_images"), (list,)),
        (PlantId, (*NAME, "similar_images", 0, "url"), (str,)),
        (PlantId, (*NAME, "similar_images", 0, "license_name"), (str,)),
        (PlantId, DETAILS, (dict,)),
        (PlantId, (*DETAILS, "common_names"), (list,)),
        (PlantId, (*DETAILS, "taxonomy"), (dict,)),
        (PlantId, (*DETAILS, "taxonomy", "family"), (str,)),
        (PlantId, (*DETAILS, "name_authority"), (str,)),
        (PlantId, (*DETAILS, "rank"), (str,)),
        (PlantId, (*DETAILS, "gbif_id"), (int,)),
        (PlantId, (*DETAILS, "best_watering"), (str,)),
        (PlantId, (*DETAILS, "edible_parts"), (list,)),
    ],
)
def test_no_field_of_another_type_passes(
    provider: type[PlantId | PlantNet],
    path: tuple[str | int, ...],
    right: tuple[type, ...],
    wrong: object,
) -> None:
    """Either the answer is refused, or the value is of the promised type and can be kept and read."""
    body = changed(BODIES[provider], path, wrong)
    try:
        reply = identify(provider, body)
    except ProviderUnavailable as error:
        assert error.code == "malformed"
        return
    # An empty string stands for nothing where a number's digits are expected.
    fits = type(wrong) in right or (path[-1] in {"id", "gbif_id"} and wrong == "")
    assert fits, reply
    assert TypeAdapter(Reply).validate_python(orjson.loads(encode(reply)[1])) == reply


@pytest.mark.parametrize("provider", [PlantId, PlantNet])
def test_what_is_optional_may_be_absent_or_null(provider: type[PlantId | PlantNet]) -> None:
    """The services leave fields out, or say null, as they like."""
    bare: dict[type[PlantId | PlantNet], tuple[bytes, bytes]] = {
        PlantNet: (
            b'{"results": [{"score": 1, "species": {"scientificNameWithoutAuthor": "A b"}}]}',
            (
                b'{"results": [{"score": 1, "images": null, "gbif": null, "powo": {"id": null},'
                b' "iucn": {}, "species": {"scientificNameWithoutAuthor": "A b", "genus": null,'
                b' "scientificNameAuthorship": null, "commonNames": null, "family": {}}}]}'
            ),
        ),
        PlantId: (
            b'{"result": {"classification": {"suggestions": [{"name": "A b", "probability": 1}]}}}',
            (
                b'{"result": {"is_plant": null, "classification": {"suggestions": [{"name": "A b",'
                b' "probability": 1, "similar_images": null, "details": {"taxonomy": null,'
                b' "rank": null, "gbif_id": null, "common_names": null, "toxicity": null}}]}}}'
            ),
        ),
    }
    absent, null = (identify(provider, body) for body in bare[provider])

    assert absent == null
    assert absent.status == "ok"
    assert absent.suggestions[0].taxon.scientific_name == "A b"


@pytest.mark.parametrize("number", ["9" * 25, "9" * 5000, 2**53 + 1, -1])
def test_a_gbif_key_out_of_bounds_is_left_out(number: str | int) -> None:
    """The rest of the answer is as good as it was, and can be kept."""
    reply = identify(PlantId, changed(PLANT_ID, (*DETAILS, "gbif_id"), number))

    assert reply.suggestions[0].taxon.gbif_id is None
    encode(reply)


@pytest.mark.parametrize(
    "body", [b"[]", b"[5]", b'[{"id": 5}]', b'[{"id": null}]', b'[{"id": "x", "title": 5}]']
)
def test_a_list_of_floras_must_name_one(body: bytes) -> None:
    """A flora's identifier becomes a part of the next address."""
    observation = Observation(PICTURES, Place(50, 14))
    with (
        serving(told(body)) as service,
        closing(PlantNet(service.url, KEY)) as client,
        pytest.raises(ProviderUnavailable) as caught,
    ):
        client.identify(observation, Deadline.after(5))

    assert caught.value.code == "malformed"


@pytest.mark.parametrize(
    ("provider", "path"),
    [(PlantId, (*DETAILS, "gbif_id")), (PlantNet, ("results", 0, "gbif", "id"))],
)
def test_what_cannot_be_read_is_not_chained(
    provider: type[PlantId | PlantNet], path: tuple[str | int, ...]
) -> None:
    """A reader's own error would show the value, which may be an echo of the key."""
    with pytest.raises(ProviderUnavailable) as caught:
        identify(provider, changed(BODIES[provider], path, KEY))

    assert caught.value.__context__ is None
    assert KEY not in "".join(traceback.format_exception(caught.value))
