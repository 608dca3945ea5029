"""Plant.id's contract, over real HTTP, beyond what the vendor's own tests ask."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
import requests
from PIL import Image

if TYPE_CHECKING:
    from tests.conftest import SandboxServer

KEY = {"Api-Key": "sandbox"}
CITRUS = "Citrus sinensis"


def identify(
    sandbox: SandboxServer, image: bytes, query: str = "", **fields: object
) -> requests.Response:
    body = {"images": [base64.b64encode(image).decode()], **fields}
    url = f"{sandbox.url}/api/v3/identification{query}"
    return requests.post(url, json=body, headers=KEY, timeout=30)


def enormous() -> bytes:
    """Return a PNG of a hundred bytes that claims 900 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"0"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("headers", "text"),
    [({}, "No api key provided."), ({"Api-Key": "x"}, "The specified api key not found.")],
)
def test_keys_are_refused_in_plain_text(
    sandbox: SandboxServer, headers: dict[str, str], text: str
) -> None:
    """A missing key and an unknown one have each their sentence."""
    response = requests.get(f"{sandbox.url}/v3/usage_info", headers=headers, timeout=10)

    assert (response.status_code, response.text) == (401, text)
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "Invalid json data"),
        (b"{}", "Missing image data"),
        (b'{"images": ["%%%"]}', "Invalid base64 image data"),
        (b'{"images": ["bm8gcGljdHVyZQ=="]}', "Invalid base64 image data"),
        ('{"images": ["é"]}'.encode(), "Invalid base64 image data"),
    ],
)
def test_bad_bodies_are_named(sandbox: SandboxServer, body: bytes, text: str) -> None:
    """What cannot be read is a 400 that says which part."""
    url = f"{sandbox.url}/api/v3/identification"

    response = requests.post(url, data=body, headers=KEY, timeout=10)

    assert (response.status_code, response.text) == (400, text)


def test_a_decompression_bomb_is_a_bad_picture(sandbox: SandboxServer) -> None:
    """The picture's size is judged before its pixels are."""
    assert identify(sandbox, enormous()).status_code == 400


def test_a_picture_over_25_megapixels_is_refused(sandbox: SandboxServer) -> None:
    """The service's own limit is well below the decoder's."""
    buffer = io.BytesIO()
    Image.new("L", (5001, 5000)).save(buffer, "PNG")

    assert identify(sandbox, buffer.getvalue()).status_code == 400


def test_times_are_naive_and_echoed(sandbox: SandboxServer, flower: bytes) -> None:
    """A trailing Z is refused; without a time the answer holds one all the same."""
    sent = identify(sandbox, flower, datetime="2026-05-01T12:00:00").json()

    assert sent["input"]["datetime"] == "2026-05-01T12:00:00"
    assert isinstance(identify(sandbox, flower).json()["input"]["datetime"], str)
    assert identify(sandbox, flower, datetime="2026-05-01T12:00:00Z").status_code == 400


def test_multipart_is_taken_under_any_field_name(sandbox: SandboxServer, flower: bytes) -> None:
    """Text fields are typed as in JSON."""
    response = requests.post(
        f"{sandbox.url}/v3/identification",
        files={"whatever": ("a.jpg", flower)},
        data={"latitude": "50.1", "similar_images": "true"},
        headers=KEY,
        timeout=30,
    )

    assert response.status_code == 201
    assert response.json()["input"]["latitude"] == 50.1
    assert response.json()["input"]["similar_images"] is True


def test_an_asynchronous_answer_has_no_result_until_read(
    sandbox: SandboxServer, flower: bytes
) -> None:
    """The key is absent, not null; reading it later finds it there."""
    posted = identify(sandbox, flower, "?async=true").json()
    url = f"{sandbox.url}/api/v3/identification/{posted['access_token']}"
    read = requests.get(url, headers=KEY, timeout=10).json()

    assert "result" not in posted
    assert read["status"] == "COMPLETED"
    assert read["result"]["is_plant"]["threshold"] == 0.5


def test_suggestions_are_probabilities_with_ids_of_their_own(
    sandbox: SandboxServer, flower: bytes
) -> None:
    """They sum to at most one, and two species of a genus never share an id."""
    found = identify(sandbox, flower).json()["result"]["classification"]["suggestions"]

    assert sum(suggestion["probability"] for suggestion in found) <= 1
    assert len({suggestion["id"] for suggestion in found}) == len(found)


def test_pictures_are_the_sandboxs_own(sandbox: SandboxServer, flower: bytes) -> None:
    """Reference pictures come only when asked for, and lie on the sandbox itself."""
    asked = identify(sandbox, flower, "?details=image", similar_images=True).json()
    bare = identify(sandbox, flower).json()

    first = asked["result"]["classification"]["suggestions"][0]
    urls = [first["similar_images"][0]["url"], first["details"]["image"]["value"]]
    assert all(url.startswith(sandbox.url) for url in urls)
    assert all(requests.get(url, timeout=10).ok for url in urls)
    assert "similar_images" not in bare["result"]["classification"]["suggestions"][0]


def test_only_details_asked_for_are_given(sandbox: SandboxServer, flower: bytes) -> None:
    """Language and entity are always there; texts say that they are the sandbox's."""
    answer = identify(sandbox, flower, "?details=toxicity,watering").json()
    details = answer["result"]["classification"]["suggestions"][0]["details"]

    assert details.keys() == {"toxicity", "watering", "language", "entity_id"}
    assert details["toxicity"].startswith("Sandbox text: ")


def test_a_raw_classification_has_three_ranks(sandbox: SandboxServer, flower: bytes) -> None:
    """Species, genus and infraspecies, as the service spells them."""
    raw = identify(sandbox, flower, classification_raw=True).json()
    ranks = raw["result"]["classification"]["suggestions"]

    assert ranks.keys() == {"species", "genus", "infraspecies"}
    assert " " not in ranks["genus"][0]["name"]


def test_at_the_level_of_genus_only_genera_are_named(sandbox: SandboxServer, flower: bytes) -> None:
    """No suggestion is a binomial."""
    answer = identify(sandbox, flower, classification_level="genus").json()

    names = [name["name"] for name in answer["result"]["classification"]["suggestions"]]
    assert names
    assert not any(" " in name for name in names)


def test_a_used_up_quota_says_so_twice(sandbox: SandboxServer, flower: bytes) -> None:
    """The 429's sentence is also the reason in the usage; clearing restores the quota."""
    sandbox.faults(service="plant_id", quota=0)
    refused = identify(sandbox, flower)
    usage = requests.get(f"{sandbox.url}/api/v3/usage_info", headers=KEY, timeout=10).json()
    sandbox.faults(service="plant_id")

    assert (refused.status_code, usage["can_use_credits"]["value"]) == (429, False)
    assert refused.text == usage["can_use_credits"]["reason"]
    assert identify(sandbox, flower).status_code == 201


def test_health_costs_a_second_credit(sandbox: SandboxServer, flower: bytes) -> None:
    """One for the name, one for the health; reading is free."""

    def used() -> int:
        url = f"{sandbox.url}/api/v3/usage_info"
        return int(requests.get(url, headers=KEY, timeout=10).json()["used"]["day"])

    before = used()
    answer = identify(sandbox, flower, health="all").json()

    assert used() == before + 2
    assert answer["result"]["is_healthy"]["threshold"] == 0.525


def test_calls_with_tokens_are_one_route(sandbox: SandboxServer, flower: bytes) -> None:
    """A token is not a route; a long word of the contract is no token."""
    token = identify(sandbox, flower).json()["access_token"]
    for url in (f"identification/{token}", "identification/42"):
        requests.get(f"{sandbox.url}/api/v3/{url}", headers=KEY, timeout=10)
    requests.post(f"{sandbox.url}/api/v3/health_assessment", data=b"{}", headers=KEY, timeout=10)

    read = sandbox.calls("plant_id", "GET /api/v3/identification/{token}")
    assert read == {"200": 1, "404": 1}
    assert sandbox.calls("plant_id", "POST /api/v3/health_assessment") == {"400": 1}


@pytest.mark.parametrize(("kind", "name"), [("plants", CITRUS), ("diseases", "mechanical damage")])
def test_the_knowledge_base_knows_plants_and_diseases(
    sandbox: SandboxServer, kind: str, name: str
) -> None:
    """A name is found by its beginning in any case, and described by its token."""
    base = f"{sandbox.url}/api/v3/kb/{kind}"
    params = {"q": name[:8].upper(), "limit": "1"}
    found = requests.get(f"{base}/name_search", params=params, headers=KEY, timeout=10).json()
    entity = found["entities"][0]
    described = requests.get(f"{base}/{entity['access_token']}", headers=KEY, timeout=10).json()

    assert found["limit"] == 1
    assert described["language"] == "en"
    assert described["name"] == entity["matched_in"]


def test_a_name_keeps_its_own_author(sandbox: SandboxServer) -> None:
    """The sweet orange goes by the name that services give it, with that name's author."""
    url = f"{sandbox.url}/api/v3/kb/plants/{CITRUS.encode().hex()}"

    entity = requests.get(url, params={"details": "name_authority"}, headers=KEY, timeout=10).json()

    assert entity["name_authority"] == "Citrus sinensis (L.) Osbeck"
