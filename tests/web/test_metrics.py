"""``GET /metrics``: what is exposed, and to whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from asgi_calls import Client
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from plantid_core import open_workbench
from plantid_core.settings import load_settings
from plantid_core.telemetry import metrics as counted
from plantid_core.upload import Upload
from plantid_core.web import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import SandboxServer

    from plantid_core import Workbench

TOKEN = "planted-metrics-token-77aa"  # noqa: S105 - no real one


@pytest.fixture
def opened(tmp_path: Path, model_cache: Path, sandbox: SandboxServer) -> Iterator[Workbench]:
    (tmp_path / "models").symlink_to(model_cache / "models")
    settings = load_settings(data_dir=tmp_path, sandbox_url=sandbox.url, metrics_token=TOKEN)
    counted.ready()
    with open_workbench(settings) as workbench:
        yield workbench


def client(workbench: Workbench, address: str = "192.0.2.1") -> Client:
    app = Starlette(routes=metrics.routes(lambda: workbench))
    return Client(app, address)


def test_document_is_what_is_exposed(opened: Workbench, flower: bytes) -> None:
    """Every name of ours stands in the table with its kind and labels, and no other does."""
    opened.identify([Upload(flower, "flower.jpg")], providers=["plant_id"])
    table = metrics.document()

    answer = client(opened).get("/metrics", {"Authorization": f"Bearer {TOKEN}"})

    families = list(text_string_to_metric_families(answer.text))
    exposed = {family.name: family for family in families if family.name.startswith("plantid_")}
    assert set(exposed) == {family.name for family in metrics.FAMILIES}
    for family in metrics.FAMILIES:
        assert exposed[family.name].type == family.kind
        for sample in exposed[family.name].samples:
            assert set(sample.labels) - {"le"} == set(family.labels)
    assert "process_resident_memory_bytes" in {family.name for family in families}
    assert (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8") == table


def test_figures_tell_how_the_parts_stand(opened: Workbench) -> None:
    """A breaker is in one state, and the cache holds its connections."""
    opened.breakers["plantnet"].open()

    text = client(opened).get("/metrics", {"Authorization": f"Bearer {TOKEN}"}).text

    assert 'plantid_breaker_state{name="plantnet",state="open"} 1.0' in text
    assert 'plantid_breaker_state{name="plantnet",state="closed"} 0.0' in text
    assert 'plantid_redis_connections{state="most"} 50.0' in text
    assert "plantid_history_queue 0.0" in text


@pytest.mark.parametrize(
    ("address", "given", "status"),
    [
        ("192.0.2.1", {}, 401),
        ("192.0.2.1", {"Authorization": "Bearer wrong"}, 401),
        ("192.0.2.1", {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("127.0.0.1", {"Host": "127.0.0.1"}, 200),
    ],
)
def test_figures_are_for_who_runs_it(
    opened: Workbench, address: str, given: dict[str, str], status: int
) -> None:
    """By the token, or on the machine itself."""
    assert client(opened, address).get("/metrics", given).status_code == status
