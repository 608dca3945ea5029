"""A batch on a real Dask cluster: two worker processes that share one Redis."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from folders import crops
from servers import Server

from plantid_core.batch import run
from plantid_core.batch.cluster_team import ClusterTeam
from plantid_core.batch.journal import Journal
from plantid_core.batch.order import Order
from plantid_core.batch.team import LocalTeam
from plantid_core.cluster import ClusterUnavailable
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from plantid_core.batch.team import Team
    from tests.conftest import SandboxServer

PHOTOS = 12
ROUTES = {"plant_id": "POST /api/v3/identification", "plantnet": "POST /v2/identify/all"}


@pytest.fixture
def cluster(tmp_path: Path, sandbox: SandboxServer) -> Iterator[str]:
    """Run a scheduler and two workers with an environment of their own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    server = Server(tmp_path / "redis")
    with ExitStack() as running:
        running.callback(server.close)
        for number, arguments in enumerate((scheduler, worker, worker)):
            settings = {
                "PLANTID_DATA_DIR": str(tmp_path / f"data{number}"),
                "PLANTID_SANDBOX_URL": sandbox.url,
                "PLANTID_REDIS_URL": server.url,
            }
            process = running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", f"distributed.cli.dask_{arguments[0]}", *arguments[1:]],
                    env={**os.environ, **settings},
                    cwd=tmp_path,
                    stderr=subprocess.DEVNULL,
                )
            )
            running.callback(process.kill)
        from distributed import Client

        with Client(  # type: ignore[no-untyped-call]
            address, timeout=30, set_as_default=False
        ) as client:
            client.wait_for_workers(2, timeout=30)
        yield address


def table(team: Team, folder: Path, name: str) -> list[dict[str, str]]:
    """Return the rows of a batch of the folder's photos, without where each answer came from."""
    providers = run.chosen(team.services(), tuple(ROUTES))
    order = Order(folder / "photos", providers)
    out = folder / f"{name}.csv"
    with Journal(folder / f"{name}.journal", run.choice(order, team.services())) as journal:
        run.prepare(journal, order)
        done = run.run(team, journal, order, stop=threading.Event())
        run.write(out, journal, order, done)
    with out.open(encoding="utf-8", newline="") as file:
        return [{**row, "source": ""} for row in csv.DictReader(file)]


@pytest.mark.timeout(90)
def test_a_cluster_makes_the_same_table_with_one_call_a_photo(
    cluster: str, tmp_path: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """Both workers ask, from their own environment; the journal stays here."""
    crops(flower, tmp_path / "photos", PHOTOS)
    settings = load_settings(data_dir=tmp_path / "data", sandbox_url=sandbox.url)
    with LocalTeam.open(settings, 4) as team:
        here = table(team, tmp_path, "here")
    sandbox.clear()

    with ClusterTeam(cluster, 4) as workers:
        there = table(workers, tmp_path, "there")

    assert there == here
    assert {row["observation"] for row in there} == {"answered"}
    for service, route in ROUTES.items():
        assert sum(sandbox.calls(service, route).values()) == PHOTOS


def test_an_address_without_a_cluster_is_a_clear_error() -> None:
    """The sentence says what to do."""
    with pytest.raises(ClusterUnavailable, match="dask scheduler"):
        ClusterTeam("tcp://127.0.0.1:1", 4)
