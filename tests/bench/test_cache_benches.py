"""The cache's benchmarks, small: their structure and what they count. Speed is no test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from plantid_core.bench import NAMES, cache_hit, early, holder_death, redis_down, stampede
from plantid_core.bench.peers import present
from plantid_core.bench.servers import CommandCount, Server

if TYPE_CHECKING:
    from plantid_core.bench import Report


def quiet(_: str) -> None:
    """Tell nobody."""


def held(report: Report) -> dict[str, bool]:
    return {ratio.name: ratio.holds for ratio in report.ratios}


def test_names_are_those_of_the_command() -> None:
    """Every benchmark can be asked for by name."""
    done = subprocess.run(
        [sys.executable, "-m", "plantid_core.cli", "bench", "nope"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert {"cache-hit", "stampede", "holder-death", "redis-down", "early"} <= set(NAMES)
    assert done.returncode == 2


def test_rivals_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their absence is told, and the others run."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    told: list[str] = []

    found = present(("lease", "dogpile 10 ms", "cashews"), told.append)

    assert found == ["lease"]
    assert [line.split(" is ")[0] for line in told] == ["dogpile 10 ms", "cashews"]


def test_commands_of_scripts_are_not_counted() -> None:
    """What a client sends is one command, whatever a script then does."""
    with Server() as server:
        count = CommandCount(server.client)
        server.client.eval("redis.call('SET', 'a', 1) return redis.call('GET', 'a')", 0)
        server.client.get("a")

        assert count.total() == 2


def test_a_killed_server_comes_back_at_its_address() -> None:
    """With nothing of what it held."""
    with Server() as server:
        server.client.set("a", 1)
        server.kill()
        server.start()

        assert server.client.get("a") is None


@pytest.mark.filterwarnings("ignore:Call to deprecated close:DeprecationWarning")  # cashews' own
def test_hit_measures_every_contestant() -> None:
    """Each has its rounds, and each really had its value from where it says."""
    report = cache_hit.run(quiet, rounds=2, gets=20)

    assert {row.n for row in report.rows} == {2}
    assert {"lease", "redis-py GET", "near"} <= {row.contestant for row in report.rows}
    assert {"4 KB text: lease / redis-py GET", "4 KB answer: near hit"} <= set(held(report))
    assert all(3500 < len(json.dumps(value)) < 5000 for value in cache_hit.VALUES.values())


@pytest.mark.slow
def test_stampede_calls_upstream_once_with_few_commands() -> None:
    """Whatever the computation comes to; a lock makes every waiter compute what fails."""
    report = stampede.run(
        quiet, rounds=1, one_rounds=1, threads=5, one_threads=20, rivals=("redis-lock",)
    )

    holds = held(report)
    for case in ("4 x 5", "1 x 20"):
        assert all(holds[f"{case}: calls, {kind}"] for kind in ("value", "none", "raises"))
    assert holds["commands to Redis"]
    assert report.median("4 x 5", "redis-lock", "calls, raises") == 20
    assert report.median("4 x 5", "seed-lock", "calls, none") == 20
    assert {row.contestant for row in report.rows if row.case == "1 x 20"} == {"lease", "baton"}


@pytest.mark.slow
def test_death_of_the_holder_is_survived_by_all_who_wait() -> None:
    """Nobody gets an error; the seed's waiters are given up on."""
    report = holder_death.run(
        quiet, rounds=1, contestants=("lease", "seed-lock, 5 s"), give_up_s=4.0
    )

    holds = held(report)
    assert holds["lease: errors"]
    assert holds["lease: not served"]
    assert report.median("killed", "seed-lock, 5 s", "not served") == holder_death.WAITERS


@pytest.mark.slow
def test_outages_cost_one_call_a_process() -> None:
    """Killed or frozen; and the clients find the server again."""
    report = redis_down.run(quiet, outages=1, gets=50)

    holds = held(report)
    assert all(holds[f"{case}: calls a key, worst"] for case in redis_down.CASES)
    assert report.median("frozen", "lease", "back after") < 10


@pytest.mark.slow
def test_early_recomputation_is_one_an_expiry() -> None:
    """Two processes under little traffic."""
    traffic = early.Traffic(rate=100.0, delta_s=0.2, ttl_s=1.5)

    report = early.run(quiet, expiries=2, traffic=traffic, threads=3, contestants=("lease",))

    assert report.median("live", "lease", "recomputations an expiry") == 1
    assert report.median("live", "lease", "requests") > 100


@pytest.mark.parametrize(
    ("starts", "counts"),
    [
        ([1.0, 1.1, 1.4, 3.0], [3, 1]),
        ([1.0, 1.5, 2.0], [1, 1, 1]),
        ([1.0, 9.8], [1]),
    ],
)
def test_computations_are_counted_by_expiry(starts: list[float], counts: list[int]) -> None:
    """Those that overlap the first made the same value; the last must be over in time."""
    assert early.expiries_of(starts, 0.5, 10.0) == counts
