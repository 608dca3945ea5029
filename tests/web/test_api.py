"""The routes beside the pages, over real HTTP."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pytest
import requests
import uvicorn
from starlette.applications import Starlette

from plantid_core.errors import DeadlineExceeded
from plantid_core.web import api

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from plantid_core import Workbench
    from plantid_core.plants import Outcome
    from plantid_core.upload import Upload
    from tests.conftest import SandboxServer


def test_health_and_readiness(app_url: str) -> None:
    """The process is alive, and says what it depends on."""
    assert requests.get(f"{app_url}/healthz", timeout=10).json() == {"status": "ok"}
    ready = requests.get(f"{app_url}/readyz", timeout=10)
    assert ready.status_code == 200
    assert ready.json()["redis"] == "ok"


def test_identify_answers_as_the_command_line_does(app_url: str, flower: bytes) -> None:
    """A multipart request gets the same JSON as ``plantid identify --json``."""
    response = requests.post(
        f"{app_url}/api/v1/identify",
        files=[("images", ("flower.jpg", flower, "image/jpeg"))],
        data={"organs": "flower", "lat": "50.1", "lon": "14.4", "date": "2026-05-01"},
        timeout=60,
    )

    body = response.json()
    assert response.status_code == 200
    assert set(body) == {
        "id", "photos", "answers", "consensus", "rung", "degraded", "trace",
    }  # fmt: skip
    assert [answer["provider"] for answer in body["answers"]] == ["plant_id", "plantnet", "offline"]


@pytest.mark.parametrize(
    ("name", "data", "fields", "status", "word"),
    [
        ("notes.jpg", b"some notes", {}, 422, "text file"),
        ("flower.jpg", b"\xff" * 10_485_761, {}, 413, "10 MB"),
        ("flower.jpg", b"", {"lat": "north", "lon": "1"}, 400, "lat"),
        ("flower.jpg", b"", {"date": "May"}, 400, "date"),
    ],
)
def test_wrong_input_is_a_problem_document(
    app_url: str, name: str, data: bytes, fields: dict[str, str], status: int, word: str
) -> None:
    """Refusals are RFC 9457 problems with a sentence."""
    response = requests.post(
        f"{app_url}/api/v1/identify", files=[("images", (name, data))], data=fields, timeout=30
    )

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert word in response.json()["detail"]


def test_unknown_routes_are_problems(app_url: str) -> None:
    """An unknown path below /api is a 404, not a page."""
    response = requests.get(f"{app_url}/api/v1/nothing", timeout=10)

    assert response.status_code == 404
    assert response.json()["status"] == 404


def photos_without_end(mebibytes: int) -> Iterator[bytes]:
    yield b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'
    for _ in range(mebibytes):
        yield bytes(1 << 20)


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


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/identify", 405),
        ("OPTIONS", "/api/v1/nothing", 404),
        ("GET", "/api", 404),
    ],
)
def test_every_wrong_call_is_a_problem(app_url: str, method: str, path: str, status: int) -> None:
    """No call below /api is answered by a page or a bare line."""
    response = requests.request(method, f"{app_url}{path}", timeout=10)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serve an app from a thread of this process."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def test_when_nobody_answers_the_caller_is_told_when_to_come_back(
    workbench: Workbench, sandbox: SandboxServer, flower: bytes
) -> None:
    """A 503 carries the earliest Retry-After that a service named, and the same sentence as the page."""
    for service, after in (("plant_id", 900), ("plantnet", 120)):
        errors = [{"status": 503, "rate": 1, "retry_after_s": after}]
        sandbox.faults(service=service, errors=errors)

    class Services:
        """The workbench without its offline model."""

        def identify(self, photos: Sequence[Upload], **question: object) -> Outcome:
            return workbench.identify(photos, providers=["plant_id", "plantnet"], **question)  # type: ignore[arg-type]

    app = Starlette(routes=api.routes(lambda: cast("Workbench", Services())))
    with served(app) as url:
        response = requests.post(
            f"{url}/api/v1/identify", files={"images": ("flower.jpg", flower)}, timeout=60
        )

    assert response.status_code == 503
    assert response.headers["retry-after"] == "120"
    assert response.json()["rung"] == "none"
    assert "Try again after" in response.json()["consensus"]["abstained"]


def test_breakers_are_told(workbench: Workbench) -> None:
    """Every breaker is listed with its state and times, the one around Redis among them."""
    workbench.breakers["plantnet"].open()

    with served(Starlette(routes=api.routes(lambda: workbench))) as url:
        told = {
            each["name"]: each for each in requests.get(f"{url}/api/v1/breakers", timeout=9).json()
        }
        ready = requests.get(f"{url}/readyz", timeout=9).json()

    assert set(told) == {"plant_id", "plantnet", "redis"}
    assert told["plantnet"]["state"] == ready["breakers"]["plantnet"] == "open"
    assert told["plantnet"]["opened_at"] < told["plantnet"]["opens_until"]
    assert set(told["plant_id"]) == {
        "name", "state", "failures", "failure_rate", "slow_rate", "last_failure_at", "opened_at",
        "opens_until", "forced",
    }  # fmt: skip
    assert told["plant_id"]["state"] == told["redis"]["state"] == "closed"


class Stuck:
    """A workbench whose services all hang, until they are let go."""

    def __init__(self, workbench: Workbench) -> None:
        self.readiness, self.breaker_reports = workbench.readiness, workbench.breaker_reports
        self.asked, self.let_go = threading.Semaphore(0), threading.Event()

    def identify(self, _: Sequence[Upload], **__: object) -> Outcome:
        self.asked.release()
        self.let_go.wait(30)
        raise DeadlineExceeded(30)


def test_a_stuck_service_holds_up_no_other_route(
    workbench: Workbench, flower: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every thread for identifying held, health is told at once, and one more is sent away."""
    monkeypatch.setattr(api, "_IDENTIFYING", 60)
    monkeypatch.setattr(api, "_WAITING", 0)
    stuck = Stuck(workbench)
    app = Starlette(routes=api.routes(lambda: cast("Workbench", stuck)))

    with served(app) as url, ThreadPoolExecutor(60) as pool:

        def post(_: int) -> requests.Response:
            files = {"images": ("flower.jpg", flower)}
            return requests.post(f"{url}/api/v1/identify", files=files, timeout=50)

        held = [pool.submit(post, n) for n in range(60)]
        try:
            assert all(stuck.asked.acquire(timeout=20) for _ in range(60))
            assert requests.get(f"{url}/readyz", timeout=5).status_code == 200
            assert requests.get(f"{url}/api/v1/breakers", timeout=5).status_code == 200
            refused = post(60)
        finally:
            stuck.let_go.set()
        ended = {one.result().status_code for one in held}

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert ended == {504}
