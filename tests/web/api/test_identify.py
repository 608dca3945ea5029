"""``POST /api/v1/identify``: what it takes, what it answers, and that the answer is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
import requests
from processes import until
from rest import served

from plantid_core import open_workbench
from plantid_core.settings import load_settings
from plantid_core.web.api import answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rest import Rest

    from plantid_core import Workbench
    from tests.conftest import SandboxServer

CONTRACT = {"id", "photos", "answers", "consensus", "rung", "degraded", "trace"}


def test_it_answers_as_the_command_line_does(development: Rest, flower: bytes) -> None:
    """A multipart request gets the same JSON as ``plantid identify --json``."""
    given = {"organs": "flower", "lat": "50.1", "lon": "14.4", "date": "2026-05-01"}

    response = development.identify(flower, data=given)

    body = response.json()
    assert response.status_code == 200
    assert set(body) == CONTRACT
    assert [answer["provider"] for answer in body["answers"]] == ["plant_id", "plantnet", "offline"]


def test_the_answer_is_kept_where_it_says(development: Rest, flower: bytes) -> None:
    """Content-Location leads to the same answers, with the circumstances that were sent."""
    given = {"lat": "50.1", "lon": "14.4", "date": "2026-05-01", "language": "de"}
    answered = development.identify(flower, data=given)

    kept = development.get(answered.headers["content-location"]).json()

    assert kept["id"] == answered.json()["id"]
    names = [[one["scientific_name"] for one in each["suggestions"]] for each in kept["answers"]]
    assert names == [
        [one["scientific_name"] for one in each["suggestions"]]
        for each in answered.json()["answers"]
    ]
    assert kept["place"] == {"latitude": 50.1, "longitude": 14.4}
    assert (kept["observed_on"], kept["language"]) == ("2026-05-01", "de")


@pytest.mark.parametrize(
    ("name", "data", "fields", "status", "word"),
    [
        ("notes.jpg", b"some notes", {}, 422, "text file"),
        ("flower.jpg", b"\xff" * 10_485_761, {}, 413, "10 MB"),
        ("flower.jpg", b"", {"lat": "north", "lon": "1"}, 400, "lat"),
        ("flower.jpg", b"", {"lat": "1"}, 400, "both"),
        ("flower.jpg", b"", {"lat": "91", "lon": "1"}, 400, "-90 to 90"),
        ("flower.jpg", b"", {"lat": "1_0", "lon": "nan"}, 400, "lat"),
        ("flower.jpg", b"", {"date": "May"}, 400, "date"),
        ("flower.jpg", b"", {"date": "20260501"}, 400, "date"),
        ("flower.jpg", b"", {"organs": "root"}, 400, "organs"),
        ("flower.jpg", b"", {"language": "klingon!"}, 400, "language"),
        ("flower.jpg", b"", {"lattitude": "1"}, 400, "images, organs, lat"),
        ("flower.jpg", b"", {"date": ["2026-05-01", "2026-05-02"]}, 400, "once"),
    ],
)
def test_wrong_input_is_a_problem_document(
    development: Rest, name: str, data: bytes, fields: dict[str, str], status: int, word: str
) -> None:
    """Refusals are RFC 9457 problems with a sentence, a code and the request's id."""
    response = development.identify(data, name, data=fields)

    told = response.json()
    assert response.status_code == told["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert word in told["detail"]
    assert told["code"]
    assert told["instance"] == response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/v1/identify", 405, "OPTIONS, POST"),
        ("OPTIONS", "/api/v1/identify", 204, "OPTIONS, POST"),
        ("PUT", "/api/v1/identifications/one", 405, "DELETE, GET, HEAD, OPTIONS"),
        ("OPTIONS", "/api/v1/nothing", 404, None),
        ("GET", "/api/v1/nothing", 404, None),
        ("GET", "/api", 404, None),
    ],
)
def test_every_other_call_is_told_what_there_is(
    development: Rest, method: str, path: str, status: int, allow: str | None
) -> None:
    """No call below /api is answered by a page or a bare line."""
    response = development.ask(method, path)

    assert (response.status_code, response.headers.get("allow")) == (status, allow)
    assert status == 204 or response.headers["content-type"] == "application/problem+json"


def test_other_media_types_are_refused(development: Rest, flower: bytes) -> None:
    """A body that is no multipart form is a 415, an answer nobody accepts a 406; a query, a 400."""
    plain = development.post(
        "/api/v1/identify", data=flower, headers={"Content-Type": "image/jpeg"}
    )
    in_query = development.identify(flower, params={"lat": "50"})
    html = development.get("/api/v1/identifications", headers={"Accept": "text/html"})
    both = development.get("/api/v1/identifications", headers={"Accept": "text/html, */*;q=0.1"})

    assert (plain.status_code, plain.headers["accept-post"]) == (415, "multipart/form-data")
    assert (html.status_code, both.status_code) == (406, 200)
    assert in_query.status_code == 400


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        ("", True),
        ("*/*", True),
        ("application/*", True),
        ("text/html, application/json;q=0.5", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json;q=0", False),
        ("application/json;q=0.000", False),
        ("text/*", False),
        ("application/xml", False),
    ],
)
def test_accept_is_read_as_http_has_it(accept: str, taken: bool) -> None:  # noqa: FBT001 - a table's column
    """Ranges, weights and case count (RFC 9110, section 12.5.1)."""
    assert answering.accepts(accept, "application/json") is taken


@pytest.mark.parametrize(
    ("charset", "last", "word"),
    [
        ("punycode", b"--B--\r\n", "UTF-8"),
        ("utf-16", b"--B--\r\n", "UTF-8"),
        ("utf-8", b"", "breaks off"),
        ("utf-8", b"--B", "breaks off"),
    ],
)
def test_a_form_is_read_whole_or_not_at_all(
    development: Rest, flower: bytes, charset: str, last: bytes, word: str
) -> None:
    """Else the last photo would be missing unnoticed; and no encoding is tried that takes a second."""
    part = b'--B\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'
    response = development.post(
        "/api/v1/identify",
        data=part + flower + b"\r\n" + part + flower + b"\r\n" + last,
        headers={"Content-Type": f"multipart/form-data; boundary=B; charset={charset}"},
    )

    assert (response.status_code, response.json()["code"]) == (400, "request")
    assert word in response.json()["detail"]


def test_a_body_of_no_announced_length_is_refused_at_its_bound(app_url: str) -> None:
    """A chunked body is read no further than five photos can be."""
    sent = 0

    def counted() -> Iterator[bytes]:
        nonlocal sent
        for chunk in photos_without_end(400):
            sent += len(chunk)
            yield chunk

    try:
        response = requests.post(
            f"{app_url}/api/v1/identify",
            data=counted(),
            headers={"Content-Type": "multipart/form-data; boundary=x"},
            timeout=60,
        )
        assert response.status_code == 413
    except requests.ConnectionError:
        pass  # the server may close before the answer is read

    assert sent < 200 << 20
    assert requests.get(f"{app_url}/healthz", timeout=10).ok


def photos_without_end(mebibytes: int) -> Iterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'
    for _ in range(mebibytes):
        yield bytes(1 << 20)


def test_whoever_is_nobody_keeps_nothing(
    tmp_path: Path, model_cache: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """Where people can sign in, one who has not may ask in development, and owns no history."""
    (tmp_path / "models").symlink_to(model_cache / "models")
    signing_in = {
        "oidc_issuer": "http://127.0.0.1:9",
        "oidc_client_id": "plantid",
        "oidc_client_secret": "planted",
    }
    settings = load_settings(data_dir=tmp_path, sandbox_url=sandbox.url, **signing_in)

    with open_workbench(settings) as workbench, served(workbench) as rest:
        answers = [rest.identify(flower, headers={"Idempotency-Key": '"one"'}) for _ in range(2)]
        kept = rest.get("/api/v1/identifications")

    photos = list((tmp_path / "photos").rglob("*.jpg"))
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert not any(
        {"content-location", "idempotency-replayed"} & set(one.headers) for one in answers
    )
    assert (kept.status_code, photos) == (401, [])


def test_when_nobody_answers_the_caller_is_told_when_to_come_back(
    tmp_path: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """A 503 carries the earliest Retry-After that a service named, and the same sentence as the page."""
    for service, after in (("plant_id", 900), ("plantnet", 120)):
        errors = [{"status": 503, "rate": 1, "retry_after_s": after}]
        sandbox.faults(service=service, errors=errors)
    (tmp_path / "models").write_text("no folder: the model of this machine cannot be had")
    settings = load_settings(data_dir=tmp_path, sandbox_url=sandbox.url)

    with open_workbench(settings) as workbench, served(workbench) as rest:
        response = rest.identify(flower)
        kept = rest.get("/api/v1/identifications").json()

    assert response.status_code == 503
    assert response.headers["retry-after"] == "120"
    assert response.json()["rung"] == "none"
    assert "Try again after" in response.json()["consensus"]["abstained"]
    assert kept["total"] == 0
    assert "content-location" not in response.headers


def test_a_stuck_service_holds_up_no_other_route(
    workbench: Workbench,
    sandbox: SandboxServer,
    flower: bytes,
    quadrants: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With every thread for identifying held, health is told at once, and one more is sent away."""
    monkeypatch.setattr(answering, "_IDENTIFYING", 1)
    monkeypatch.setattr(answering, "_WAITING", 0)
    sandbox.faults(service="plantnet", latency_ms={"p50": 3000, "p99": 3000})

    with served(workbench) as rest, ThreadPoolExecutor(1) as pool:
        held = pool.submit(rest.identify, flower)
        assert until(lambda: sandbox.in_flight() == 1, 20)
        assert rest.get("/readyz").status_code == 200
        assert rest.get("/api/v1/breakers").status_code == 200
        refused = rest.identify(quadrants(), "other.jpg")

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.json()["code"] == "busy"
    assert held.result().status_code == 200
