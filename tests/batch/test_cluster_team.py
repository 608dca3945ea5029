"""A batch on a real Dask cluster: two worker processes that share one Redis."""

from __future__ import annotations

import csv
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import pytest
from folders import crops
from processes import until
from servers import Server

import plantid_core.cluster
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

    from plantid_core.batch.order import Done
    from plantid_core.batch.team import Team
    from tests.conftest import SandboxServer

PHOTOS = 12
ROUTES = {"plant_id": "POST /api/v3/identification", "plantnet": "POST /v2/identify/all"}


class Cluster(NamedTuple):
    """Where its scheduler listens, and its two workers."""

    address: str
    workers: list[subprocess.Popen[bytes]]


@pytest.fixture
def cluster(tmp_path: Path, sandbox: SandboxServer) -> Iterator[Cluster]:
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
        started = []
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
            started.append(process)
        from distributed import Client

        with Client(  # type: ignore[no-untyped-call]
            address, timeout=30, set_as_default=False
        ) as client:
            client.wait_for_workers(2, timeout=30)
        yield Cluster(address, started[1:])


def table(team: Team, folder: Path, name: str) -> tuple[list[dict[str, str]], Done]:
    """Return the rows of a batch of the folder's photos, without where each answer came from."""
    providers = run.chosen(team.services(), tuple(ROUTES))
    order = Order(folder / "photos", providers)
    out = folder / f"{name}.csv"
    with Journal(folder / f"{name}.journal", run.choice(order, team.services())) as journal:
        run.prepare(journal, order)
        done = run.run(team, journal, order, stop=threading.Event())
        run.write(out, journal, order, done)
    with out.open(encoding="utf-8", newline="") as file:
        return [{**row, "source": ""} for row in csv.DictReader(file)], done


@pytest.mark.timeout(90)
def test_a_cluster_makes_the_same_table_with_one_call_a_photo(
    cluster: Cluster, tmp_path: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """Both workers ask, from their own environment; the journal stays here."""
    crops(flower, tmp_path / "photos", PHOTOS)
    settings = load_settings(data_dir=tmp_path / "data", sandbox_url=sandbox.url)
    with LocalTeam.open(settings, 4) as team:
        here, _ = table(team, tmp_path, "here")
    sandbox.clear()

    with ClusterTeam(cluster.address, 4) as workers:
        there, done = table(workers, tmp_path, "there")

    assert there == here
    assert done.credits == 2 * PHOTOS
    assert {row["observation"] for row in there} == {"answered"}
    for service, route in ROUTES.items():
        assert sum(sandbox.calls(service, route).values()) == PHOTOS


@pytest.mark.timeout(90)
def test_calls_of_a_lost_worker_count_as_paid(
    cluster: Cluster, tmp_path: Path, sandbox: SandboxServer, flower: bytes
) -> None:
    """Dask gives its photos to the other one, and the table is whole."""
    crops(flower, tmp_path / "photos", PHOTOS)
    for service in ROUTES:
        sandbox.faults(service=service, latency_ms={"p50": 2000, "p99": 2000})

    def lose() -> None:
        # Dask hands out evenly: of the four photos a worker that is lost now has two in hand.
        until(lambda: sandbox.in_flight() == 4 * len(ROUTES))
        cluster.workers[0].kill()
        sandbox.mend()

    with ClusterTeam(cluster.address, 4) as workers, ThreadPoolExecutor(1) as stage:
        lost = stage.submit(lose)
        rows, done = table(workers, tmp_path, "there")
        lost.result()

    assert {row["observation"] for row in rows} == {"answered"}
    sandbox.settle()
    made = sum(sum(sandbox.calls(service, route).values()) for service, route in ROUTES.items())
    assert 2 * PHOTOS < made <= done.credits <= 2 * PHOTOS + 2 * 4


def test_a_server_that_says_nothing_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server waits to be spoken to, and would be waited for without end."""
    # Nobody answers, however long it is waited for: a short patience shows the same.
    monkeypatch.setattr(plantid_core.cluster, "REACH_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ClusterUnavailable, match="no Dask scheduler"):
            ClusterTeam(f"tcp://127.0.0.1:{port}", 4)


def test_an_address_without_a_cluster_is_a_clear_error() -> None:
    """The sentence says what to do."""
    with pytest.raises(ClusterUnavailable, match="dask scheduler"):
        ClusterTeam("tcp://127.0.0.1:1", 4)
