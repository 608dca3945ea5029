"""The figures are for whoever runs the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from asgi_calls import Client
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from plantid_core.settings import load_settings
from plantid_core.web.guards.metrics import Metrics
from plantid_core.web.guards.proxy import Proxy

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

STRANGER = "192.0.2.7"
TOKEN = "figures-" * 6


def _client(tmp_path: Path, address: str, **told: object) -> Client:
    async def figures(_: Request) -> PlainTextResponse:
        return PlainTextResponse("figures 1")

    settings = load_settings(data_dir=tmp_path, **told)
    app = Starlette(
        routes=[Route("/_stcore/metrics", figures), Route("/", figures)],
        middleware=[
            Middleware(Proxy, settings=settings),
            Middleware(Metrics, settings=settings),
        ],
    )
    return Client(app, address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1"])
def test_they_are_read_on_the_machine_itself(tmp_path: Path, address: str) -> None:
    """A scraper beside the app needs no token."""
    assert _client(tmp_path, address).get("/_stcore/metrics").text == "figures 1"


def test_a_stranger_reads_none(tmp_path: Path) -> None:
    """And learns what to send; other routes are none of this guard's business."""
    client = _client(tmp_path, STRANGER)

    answer = client.get("/_stcore/metrics")

    assert answer.status_code == 401
    assert "PLANTID_METRICS_TOKEN" in answer.json()["detail"]
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
        {"Via": "1.1 proxy"},
        {"Host": "plants.example.org"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_a_proxy_on_the_machine_opens_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    """Everybody who comes through it comes from this machine."""
    assert _client(tmp_path, "127.0.0.1").get("/_stcore/metrics", headers).status_code == 401


def test_where_a_proxy_is_set_only_the_token_counts(tmp_path: Path) -> None:
    """It may be one that leaves no trace."""
    client = _client(tmp_path, "127.0.0.1", trusted_proxies="127.0.0.1")

    assert client.get("/_stcore/metrics").status_code == 401


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer {TOKEN}", 200),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer", 401),
        ("Bearer é", 401),
    ],
)
def test_the_token_opens_them_from_anywhere(tmp_path: Path, shown: str, status: int) -> None:
    """The whole token, and nothing else."""
    client = _client(tmp_path, STRANGER, metrics_token=TOKEN)

    assert client.ask(
        "GET", "/_stcore/metrics", {b"Authorization": shown.encode()}
    ).status_code == (  # type: ignore[dict-item]
        status
    )


def test_no_token_is_no_empty_token(tmp_path: Path) -> None:
    """Where none is set, none is right."""
    answer = _client(tmp_path, STRANGER).get("/_stcore/metrics", {"Authorization": "Bearer "})

    assert answer.status_code == 401
