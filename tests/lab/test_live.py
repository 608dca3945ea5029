"""Runs on real processes: their tables, what they see of strategies, and that they always end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
from processes import until

from plantid_core.lab import live
from plantid_core.lab.record import CALLS, EXPIRIES, REQUESTS, UPSTREAM
from plantid_core.lab.workload import BadWorkload, Recompute, Requests, Workload
from plantid_core.resilience import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

# λΔ = 5: five requests come while one value is made.
FIVE = Workload(rate=50, duration_s=1.6, ttl_s=0.5, recompute=Recompute(0.1), processes=2)


@pytest.fixture(scope="module")
def rig() -> Iterator[live.Rig]:
    """Keep a rig for all tests that do not break it, with little patience."""
    with live.Rig(2, grace_s=0.5) as opened:
        yield opened


def evenly(count: int, seconds: float) -> Requests:
    """Return so many requests for one key."""
    return Requests(np.linspace(0, seconds, count, endpoint=False), np.zeros(count, np.int64))


def test_without_a_strategy_every_expiry_is_a_stampede(rig: live.Rig) -> None:
    """Whoever comes while a value is missing makes it again; nobody waits for anybody."""
    seen = live.run("none", FIVE, 1, rig=rig).record

    assert len(seen.expiries) >= 2
    assert seen.expiries["calls"].mean() > 2
    assert (seen.requests["how"] == "computed").sum() == len(seen.calls)


def test_the_lease_makes_each_value_once(rig: live.Rig) -> None:
    """No call begins before another's end, though the processes know of each other only by Redis."""
    calls = live.run("lease", FIVE, 1, rig=rig).record.calls.sort_values("begin_s")

    begins, ends = calls["begin_s"].to_numpy(), calls["end_s"].to_numpy()
    assert len(calls) >= 2
    assert (begins[1:] >= ends[:-1]).all()


def test_under_a_lock_others_wait_for_the_value(rig: live.Rig) -> None:
    """All who come meanwhile wait for one call's end, and nobody for longer than it takes."""
    seen = live.run("redis-lock", FIVE, 1, rig=rig).record
    waited = seen.requests[seen.requests["how"] == "waited"]

    assert len(waited) >= 2
    assert len(seen.calls) == len(seen.expiries)
    answered = (waited["t_s"] + waited["wait_s"]).to_numpy()
    ends = seen.calls["end_s"].to_numpy()
    assert all((ends <= at).any() for at in answered)


def test_the_tables_have_the_shapes_of_a_record(rig: live.Rig) -> None:
    """Simulated and live runs can be drawn by one chart: columns and types are the same."""
    run = live.run("xfetch", FIVE, 2, rig=rig, requests=evenly(40, 1.0))
    made = run.record

    assert (made.source, made.strategy, made.offered) == ("live", "xfetch", 40)
    for table, columns in (
        (made.requests, REQUESTS),
        (made.calls, CALLS),
        (made.expiries, EXPIRIES),
        (made.upstream, UPSTREAM),
    ):
        assert {name: str(kind) for name, kind in table.dtypes.items()} == columns
    assert len(made.requests) == 40
    assert set(made.requests["process"]) == {0, 1}
    assert (made.calls["begin_s"] >= 0).all()
    assert 0 <= run.lateness_p50_s <= run.lateness_p99_s <= run.lateness_longest_s


def test_keys_are_warm_and_out_of_step_when_a_run_begins(rig: live.Rig) -> None:
    """Each key's value was made beforehand, at a time of its own within one TTL, and is a hit."""
    keys = np.arange(8, dtype=np.int64)
    requests = Requests(np.linspace(0, 0.05, 8), keys)
    warm = Workload(ttl_s=1.2, keys=8, recompute=Recompute(0.02), processes=2, duration_s=0.2)

    run = live.run("redis-lock", warm, 3, rig=rig, requests=requests)

    assert set(run.warmed_s) == set(range(8))
    assert max(run.warmed_s.values()) < 0
    assert max(run.warmed_s.values()) - min(run.warmed_s.values()) > 0.6
    young = [key for key, at in run.warmed_s.items() if at > -0.7]
    hits = run.record.requests[run.record.requests["how"] == "hit"]
    assert set(young) <= set(hits["key"])


def test_a_service_that_fails_fails_its_requests(rig: live.Rig) -> None:
    """With no value to fall back on, every request ends with the error of a call."""
    broken = Workload(
        fail_rate=1.0, ttl_s=5, recompute=Recompute(0.02), processes=2, duration_s=0.4
    )

    seen = live.run("none", broken, 4, rig=rig, requests=evenly(10, 0.4), warm=False).record

    assert set(seen.requests["how"]) == {"failed"}
    assert seen.calls["failed"].all()
    assert seen.requests["age_s"].isna().all()


def test_a_run_can_be_stopped(rig: live.Rig) -> None:
    """It ends long before its time, with what there was until then."""
    told = list[str]()
    long = Workload(rate=50, duration_s=100, ttl_s=5, recompute=Recompute(0.02), processes=2)

    run = live.run("none", long, 5, rig=rig, tell=told.append, stop=lambda: len(told) >= 2)

    assert run.stopped
    assert run.record.workload.duration_s < 100
    assert run.record.offered == len(run.record.requests) < 1000
    assert "answers" in told[0]


def test_requests_that_get_no_answer_end_the_run(rig: live.Rig) -> None:
    """Who hangs is told, and the rig goes on with new processes."""
    slow = Workload(ttl_s=9, recompute=Recompute(8.0), processes=2, duration_s=0.2)
    with pytest.raises(live.StrategyHangs, match="redis-lock") as caught:
        live.run("redis-lock", slow, 6, rig=rig, requests=evenly(6, 0.2), threads=8, warm=False)

    assert 0 < caught.value.unanswered <= 6
    quick = Workload(ttl_s=9, recompute=Recompute(0.02), processes=2, duration_s=0.2)
    again = live.run("redis-lock", quick, 6, rig=rig, requests=evenly(6, 0.2))
    assert len(again.record.requests) == 6


def test_a_client_that_dies_is_told_and_replaced(rig: live.Rig) -> None:
    """A run without one of its processes would say nothing true, so it ends at once."""
    victim = rig.clients(2)[1].process
    threading.Timer(0.8, victim.kill).start()
    long = Workload(rate=20, duration_s=60, ttl_s=5, recompute=Recompute(0.02), processes=2)
    with pytest.raises(live.RigBroken):
        live.run("none", long, 7, rig=rig)

    assert all(client.process.poll() is None for client in rig.clients(2))


def test_one_rig_has_one_run_at_a_time(rig: live.Rig) -> None:
    """A second one would take the first one's Redis from under it."""
    with rig.taken(), pytest.raises(live.RigBusy):
        live.run("none", FIVE, 8, rig=rig)


def test_a_calibration_times_every_part(rig: live.Rig) -> None:
    """Every strategy's hit and every part has samples; a call takes at least what it was told to."""
    measured = live.calibrate(rig, threads=8, latency_s=0.02)

    assert set(measured.hit_s) == set(NAMES)
    parts = measured.summary()
    assert (parts["n"] > 10).all()
    assert (parts["p50_ms"] > 0).all()
    assert measured.compute_s.min() >= 0.02
    # Not asking Redis at all is the least that a hit can be.
    assert np.median(measured.hit_s["lease"]) < np.median(measured.hit_s["none"])


def test_an_unknown_strategy_is_refused_before_anything_starts() -> None:
    """The error tells which there are."""
    with pytest.raises(BadWorkload, match="lease"):
        live.run("hope", FIVE, 1)


_OWNER = """
from plantid_core.lab import live
from plantid_core.lab.workload import Workload
with live.Rig(2) as rig:
    print(rig.folder, flush=True)
    live.run("none", Workload(rate=20, duration_s=60, processes=2), 1, rig=rig)
"""


def test_all_that_was_started_ends_with_a_killed_owner() -> None:
    """SIGKILL leaves no time to tidy up: Valkey, sandbox, clients and the folder go all the same."""
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER], stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = owner.stdout.readline().strip()
        started = psutil.Process(owner.pid).children(recursive=True)
        assert len(started) == 5  # a guard, Valkey, the sandbox and two clients
        owner.send_signal(signal.SIGKILL)

    def all_gone() -> bool:
        alive = [one for one in started if one.is_running()]
        return all(one.status() == psutil.STATUS_ZOMBIE for one in alive)

    assert until(all_gone, 10)
    assert until(lambda: not os.path.exists(folder), 5)  # noqa: PTH110 - a name, no path of ours
