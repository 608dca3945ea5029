"""Sweeps: on this machine's cores, and on a real Dask cluster."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from plantid_core.cluster import ClusterUnavailable
from plantid_core.lab import sweep
from plantid_core.lab.workload import BadWorkload, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = Workload(rate=20, duration_s=60, ttl_s=5)


def draw(seed: int, size: int) -> float:
    return float(np.random.default_rng(seed).random(size).sum())


def who(number: int) -> tuple[int, int]:
    return number, os.getpid()


def refuse(number: int) -> int:
    if number == 3:
        raise ValueError(f"not {number}")
    return number


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Run a scheduler and two workers, each a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    port = address.rpartition(":")[2]
    path = os.pathsep.join(["tests/lab", *sys.path])
    environment = {**os.environ, "PYTHONPATH": path}
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"]
    worker = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
                    env=environment,
                    stderr=subprocess.DEVNULL,
                )
            )
            for arguments in (scheduler, worker, worker)
        ]
        from distributed import Client

        with Client(address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=30)
        yield address
        for process in reversed(processes):
            process.kill()


def test_results_come_in_the_order_of_the_jobs_and_progress_is_told() -> None:
    """Whichever ends first, the first job's result is the first; the last word is that all are done."""
    told: list[sweep.Progress] = []

    results = sweep.run(draw, [(seed, 10) for seed in range(7)], tell=told.append)

    assert results == [draw(seed, 10) for seed in range(7)]
    assert [progress.done for progress in told] == list(range(1, 8))
    assert (told[-1].total, told[-1].left_s) == (7, 0.0)


def test_a_cluster_gives_the_same_results(cluster: str) -> None:
    """The jobs run in the workers' processes, and what they return is what they return here."""
    jobs = [(seed, 1000) for seed in range(12)]

    here, there = sweep.run(draw, jobs), sweep.run(draw, jobs, scheduler=cluster)
    placed = sweep.run(who, [(number,) for number in range(12)], scheduler=cluster)

    assert here == there
    assert [number for number, _ in placed] == list(range(12))
    assert {pid for _, pid in placed}.isdisjoint({os.getpid()})


def test_a_job_s_error_is_the_sweep_s(cluster: str) -> None:
    """It is raised as it is, from either place."""
    jobs = [(number,) for number in range(6)]

    for scheduler in (None, cluster):
        with pytest.raises(ValueError, match="not 3"):
            sweep.run(refuse, jobs, scheduler=scheduler)


def test_a_stopped_sweep_tells_what_it_has() -> None:
    """No further job begins; what ended is handed over."""
    stop = threading.Event()

    with pytest.raises(sweep.SweepStopped, match=r"of 400 runs") as stopped:
        sweep.run(draw, [(seed, 10) for seed in range(400)], stop=stop, tell=lambda _: stop.set())

    assert stopped.value.total == 400
    assert stopped.value.finished
    assert all(result == draw(seed, 10) for seed, result in stopped.value.finished.items())


@pytest.mark.parametrize(
    ("address", "said"),
    [("nonsense", "looks like tcp://"), ("tcp://127.0.0.1:1", "dask scheduler")],
)
def test_an_address_without_a_cluster_is_a_clear_error(address: str, said: str) -> None:
    """The sentence names the address and what to do."""
    with pytest.raises(ClusterUnavailable, match=said) as caught:
        sweep.run(draw, [(1, 1), (2, 2)], scheduler=address)

    assert caught.value.address == address


def test_a_grid_has_a_row_a_point_strategy_and_seed() -> None:
    """The axes stand first; the figures are those of a run at these settings."""
    axes = {"ttl_s": [5.0, 10.0], "load": [2.0]}

    rows = sweep.grid(SMALL, ["none", "lease"], axes, [1, 2])

    assert list(rows.columns[:2]) == ["ttl_s", "load"]
    assert len(rows) == 2 * 2 * 2
    assert rows["load"].tolist() == pytest.approx([2.0] * 8)
    assert rows.groupby("ttl_s")["calls"].sum().is_monotonic_decreasing
    again = sweep.grid(SMALL, ["none", "lease"], axes, [1, 2])
    pd.testing.assert_frame_equal(rows, again)


@pytest.mark.parametrize(
    "axes", [{"colour": [1.0]}, {"ttl_s": [-1.0]}, {"recompute": [1.0]}, {"keys": [0]}]
)
def test_an_impossible_axis_is_refused_before_anything_runs(axes: dict[str, list[float]]) -> None:
    """An unknown name and an impossible value are both told."""
    told: list[sweep.Progress] = []

    with pytest.raises(BadWorkload):
        sweep.grid(SMALL, ["lease"], axes, [1], tell=told.append)

    assert told == []


def test_a_grid_without_end_is_refused() -> None:
    """The bound and what was asked for are told."""
    many = [float(value) for value in range(1, 1001)]

    with pytest.raises(sweep.SweepTooLarge, match="1,000,000"):
        sweep.grid(SMALL, ["lease"], {"ttl_s": many, "beta": many}, [1])


@pytest.mark.parametrize(
    ("axis", "value"), [("keys", float("nan")), ("processes", float("inf")), ("keys", 1.5)]
)
def test_a_value_that_no_setting_can_have_is_refused_by_name(axis: str, value: float) -> None:
    """Whole settings take whole numbers, and none takes what is no number."""
    with pytest.raises(BadWorkload, match=axis):
        sweep.at(Workload(), {axis: value})


def test_a_load_and_a_rate_are_one_too_many() -> None:
    """The load sets the rate."""
    with pytest.raises(BadWorkload, match="load beside rate"):
        sweep.at(Workload(), {"load": 1.0, "rate": 5.0})
