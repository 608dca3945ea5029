"""Pl@ntNet's contract, over real HTTP."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests
from PIL import Image

if TYPE_CHECKING:
    from tests.conftest import SandboxServer


def ask(sandbox: SandboxServer, *images: bytes, **params: str) -> requests.Response:
    files = [("images", (f"{n}.jpg", image, "image/jpeg")) for n, image in enumerate(images)]
    return requests.post(
        f"{sandbox.url}/v2/identify/all",
        params={"api-key": "sandbox", **params},
        files=files or [("nothing", ("x", b""))],
        timeout=30,
    )


def noise() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (256, 256, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def test_identify_answers_in_the_services_shape(sandbox: SandboxServer, flower: bytes) -> None:
    """Scores descend, names come in three forms, the quota is told in body and headers."""
    response = ask(sandbox, flower, **{"include-related-images": "true", "detailed": "true"})
    body = response.json()

    scores = [result["score"] for result in body["results"]]
    assert scores == sorted(scores, reverse=True)
    assert body["results"][0]["species"]["scientificName"] == body["bestMatch"]
    assert body["results"][0]["images"][0]["license"]
    assert body["otherResults"]["genus"]
    assert f"r={body['remainingIdentificationRequests']};" in response.headers["RateLimit"]


def test_no_plant_is_a_404_unless_not_rejected(sandbox: SandboxServer) -> None:
    """Noise is "Species not found"; no-reject answers all the same."""
    assert ask(sandbox, noise()).json() == {
        "statusCode": 404,
        "error": "Not Found",
        "message": "Species not found",
    }
    assert ask(sandbox, noise(), **{"no-reject": "true"}).status_code == 200


@pytest.mark.parametrize(("key", "status"), [("", 401), ("stolen", 403)])
def test_unknown_keys_are_refused(sandbox: SandboxServer, key: str, status: int) -> None:
    """Without the sandbox's key nothing is answered."""
    response = requests.get(f"{sandbox.url}/v2/projects", params={"api-key": key}, timeout=10)

    assert (response.status_code, response.json()["statusCode"]) == (status, status)


def test_bad_requests_are_named(sandbox: SandboxServer, flower: bytes) -> None:
    """No image, six images, odd organs, no picture: each its own status."""
    assert ask(sandbox).status_code == 400
    assert ask(sandbox, *[flower] * 6).status_code == 400
    assert ask(sandbox, flower, organs="root").status_code == 400
    assert ask(sandbox, b"GIF89a no").status_code == 415
    assert ask(sandbox, b"\xff\xd8\xff\xe0 broken").status_code == 400
    assert ask(sandbox, flower, **{"nb-results": "²"}).status_code == 400


def test_a_broken_form_is_refused_in_json(sandbox: SandboxServer) -> None:
    """A form without its boundary is the client's fault, told in the service's form."""
    response = requests.post(
        f"{sandbox.url}/v2/identify/all?api-key=sandbox",
        data=b"x",
        headers={"Content-Type": "multipart/form-data"},
        timeout=10,
    )

    assert (response.status_code, response.json()["statusCode"]) == (400, 400)


def test_organs_are_taken_from_the_query_too(sandbox: SandboxServer, flower: bytes) -> None:
    """Some clients send them there, even on POST."""
    assert ask(sandbox, flower, organs="flower").json()["query"]["organs"] == ["flower"]


def test_a_used_up_quota_says_when_it_begins_anew(sandbox: SandboxServer, flower: bytes) -> None:
    """429 with Retry-After; clearing the faults restores the quota."""
    sandbox.faults(service="plantnet", quota=0)
    refused = ask(sandbox, flower)
    sandbox.faults(service="plantnet")

    assert (refused.status_code, refused.json()["statusCode"]) == (429, 429)
    assert 0 < int(refused.headers["Retry-After"]) <= 86_400
    assert ask(sandbox, flower).status_code == 200


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:80@{there}/a.jpg", "http://{there}/a.jpg", "file:///etc/hosts"]
)
def test_linked_pictures_come_from_this_machine_alone(sandbox: SandboxServer, address: str) -> None:
    """No way of writing the address makes the sandbox call another host."""
    with socket.create_server(("127.0.0.2", 0)) as other:
        there = f"127.0.0.2:{other.getsockname()[1]}"
        params = {"api-key": "sandbox", "images": address.format(there=there)}
        response = requests.get(f"{sandbox.url}/v2/identify/all", params=params, timeout=10)
        other.settimeout(0)

        assert response.status_code == 400
        with pytest.raises(BlockingIOError):
            other.accept()


def test_projects_are_ranked_by_place(sandbox: SandboxServer) -> None:
    """A place in Bohemia ranks Middle Europe first."""
    params = {"api-key": "sandbox", "lat": "50.1", "lon": "14.4"}

    first = requests.get(f"{sandbox.url}/v2/projects", params=params, timeout=10).json()[0]

    assert first["id"] == "k-middle-europe"
