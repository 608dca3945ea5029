"""The faithful engine: the strategies' own code on a virtual clock, held to theory and to Redis."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from servers import Server

from plantid_core.lab.record import CALLS, EXPIRIES, REQUESTS
from plantid_core.lab.simulate import around_expiry, faithful
from plantid_core.lab.simulate.clock import Clock, VirtualLock
from plantid_core.lab.simulate.latency import Latency
from plantid_core.lab.simulate.store import Store, VirtualRedis
from plantid_core.lab.workload import Recompute, Requests, Workload
from plantid_core.resilience import NAMES
from plantid_core.resilience.behind import THREADS
from plantid_core.resilience.locks import RedisLock
from plantid_core.resilience.strategies import classic

if TYPE_CHECKING:
    from pathlib import Path

    import redis

ONE_KEY = Workload(rate=50, ttl_s=5, duration_s=120, processes=3)


def mean_and_error(values: pd.Series) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_answers_every_request_in_tables_of_one_shape(name: str) -> None:
    record = faithful.run(name, ONE_KEY, seed=1)

    assert record.offered == len(record.requests)
    assert not (record.requests["how"] == "failed").any()
    shapes = (record.requests, REQUESTS), (record.calls, CALLS), (record.expiries, EXPIRIES)
    for found, columns in shapes:
        assert found.dtypes.astype(str).to_dict() == columns
    assert record.expiries["calls"].sum() == len(record.calls) == record.upstream["calls"].sum()


@pytest.mark.parametrize("name", ["lease", "redis-lock", "redlock", "xfetch+lock", "seed-lock"])
def test_one_call_an_expiry_where_somebody_sees_to_it(name: str) -> None:
    record = faithful.run(name, ONE_KEY, seed=2)

    assert (record.expiries["calls"] == 1).all()


def test_the_librarys_lock_goes_after_the_seeds() -> None:
    """In a process that simulates the seed's first: the library registers its scripts once for all."""
    both = """
from plantid_core.lab.simulate import around_expiry
from plantid_core.lab.workload import Workload

for name in ("seed-lock", "redis-lock"):
    print(len(around_expiry(name, Workload(rate=20), 1, lead_s=1.0, after_s=0.5).calls) > 0)
"""
    ended = subprocess.run(
        [sys.executable, "-c", both], capture_output=True, text=True, timeout=60, check=False
    )

    assert (ended.returncode, ended.stdout) == (0, "True\nTrue\n"), ended.stderr


def test_without_protection_the_stampede_is_all_who_come_during_a_call() -> None:
    record = faithful.run("none", Workload(rate=50, ttl_s=2, duration_s=600), seed=3)

    mean, error = mean_and_error(record.expiries["calls"])

    assert abs(mean - (1 + 50 * 0.2)) < 4 * error


def test_xfetch_recomputes_e_times_an_expiry_at_a_high_load() -> None:
    workload = Workload(rate=100, ttl_s=20, duration_s=3000, recompute=Recompute(1.0))
    record = faithful.run("xfetch", workload, seed=4)

    mean, error = mean_and_error(record.expiries["calls"])

    assert abs(mean - math.e) < 4 * error
    assert record.expiries["early"].mean() > 0.95


def test_a_process_coalesces_its_own_requests() -> None:
    record = faithful.run(
        "coalesce", Workload(rate=500, ttl_s=2, duration_s=30, processes=3), seed=5
    )

    assert (record.expiries["calls"] == 3).all()


def test_the_seeds_formula_never_fires_early() -> None:
    record = faithful.run("seed-early", ONE_KEY, seed=6)

    assert not record.expiries["early"].any()
    assert record.expiries["calls"].mean() > 5


def test_the_seeds_coalescing_hands_out_old_values_when_the_leader_fails() -> None:
    workload = Workload(rate=50, ttl_s=2, duration_s=120, fail_rate=0.5)

    ages = {
        name: faithful.run(name, workload, seed=7).requests["age_s"].max()
        for name in ("coalesce", "seed-coalesce")
    }

    assert ages["coalesce"] <= 2.0 + 1e-6
    assert ages["seed-coalesce"] > 2.5


def test_those_who_waited_for_a_failure_fail_together() -> None:
    workload = Workload(rate=100, ttl_s=2, duration_s=60, fail_rate=1.0, beta=0)

    record = faithful.run("lease", workload, seed=8)

    failed = record.requests[record.requests["how"] == "failed"]
    assert len(failed) == record.offered
    assert failed["wait_s"].max() <= 0.2 + 1e-6


def test_stale_values_are_served_while_one_refresh_runs() -> None:
    workload = Workload(rate=50, ttl_s=10, soft_ttl_s=2, duration_s=60, beta=0)

    record = faithful.run("lease", workload, seed=9)

    assert (record.requests["how"] == "stale").any()
    later = record.requests[record.requests["t_s"] > 1]
    assert later["wait_s"].max() == 0
    assert (record.expiries["calls"] == 1).all()


def test_a_long_computation_keeps_its_lease() -> None:
    workload = Workload(
        rate=5, ttl_s=30, duration_s=60, recompute=Recompute(6.0), lease_s=0.5, beta=0
    )

    record = faithful.run("lease", workload, seed=10)

    assert (record.expiries["calls"] == 1).all()


def test_the_same_seed_gives_the_same_tables() -> None:
    one, two = (faithful.run("xfetch+lock", ONE_KEY, seed=11) for _ in range(2))

    pd.testing.assert_frame_equal(one.requests, two.requests)
    pd.testing.assert_frame_equal(one.calls, two.calls)


def test_a_change_in_a_strategy_shows_in_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classic.XFetch, "_early", lambda *_: False)

    record = faithful.run("xfetch", ONE_KEY, seed=12)

    assert not record.expiries["early"].any()


def test_given_requests_go_to_the_given_processes() -> None:
    asked = Requests(np.array([0.0, 0.1, 5.0]), np.array([0, 0, 1]))

    record = faithful.run("none", ONE_KEY, seed=1, requests=asked, processes=np.array([0, 2, 1]))

    rows = record.requests.sort_values("t_s")
    assert rows["process"].tolist() == [0, 2, 1]
    assert rows["how"].tolist() == ["computed"] * 3


def test_a_measured_latency_is_what_waiting_costs() -> None:
    slow = Latency(command=np.array([0.004]))

    record = faithful.run("none", ONE_KEY, seed=1, latency=slow)

    hits = record.requests[record.requests["how"] == "hit"]
    assert hits["wait_s"].round(6).unique().tolist() == [0.004]


def test_the_last_in_a_locks_queue_waits_for_all_hands_over() -> None:
    asked = Requests(np.linspace(0, 0.01, 11), np.zeros(11, dtype=np.int64))
    slow = Latency(command=np.array([0.001]), signal=np.array([0.002]))

    record = faithful.run("redis-lock", ONE_KEY, seed=1, requests=asked, latency=slow)

    # Each hand-over is a signal, an owner check, a SET NX, a GET and an unlock.
    assert record.requests["wait_s"].max() > 0.2 + 10 * 0.005


def test_around_an_expiry_times_are_from_the_soft_expiry_on() -> None:
    record = around_expiry("none", Workload(rate=100), 1, lead_s=1.0, after_s=0.5)

    assert record.requests["t_s"].between(-1.0, 0.5).all()
    assert 0 <= record.calls["begin_s"].min() < 0.1
    assert len(record.expiries) == 1


def test_too_many_requests_are_refused_before_they_are_served() -> None:
    asked = Requests(np.zeros(faithful.MOST_REQUESTS + 1), np.zeros(1, dtype=np.int64))

    with pytest.raises(faithful.TooManyRequests, match="2,000,001"):
        faithful.run("none", ONE_KEY, seed=1, requests=asked)


def test_a_lock_is_taken_in_the_order_of_asking() -> None:
    clock, got = Clock(), list[str]()
    lock = VirtualLock(clock, lambda: 0.0)

    def hold(name: str) -> None:
        assert lock.acquire()
        got.append(name)
        clock.sleep(1)
        lock.release()

    for number, name in enumerate("abc"):
        clock.spawn(clock.now + number / 10, lambda name=name: hold(name))
    clock.drain(clock.now + 100)

    assert got == ["a", "b", "c"]


def test_a_wait_for_a_lock_ends_with_its_time() -> None:
    clock, found = Clock(), list[tuple[bool, float]]()
    lock = VirtualLock(clock, lambda: 0.0)
    begin = clock.now

    def hold() -> None:
        lock.acquire()
        clock.sleep(5)
        lock.release()

    def wait() -> None:
        found.append((lock.acquire(timeout=2), clock.now - begin))

    clock.spawn(begin, hold)
    clock.spawn(begin, wait)
    clock.drain(begin + 100)

    assert found == [(False, pytest.approx(2.0))]
    assert not lock.locked()


def test_the_modelled_server_answers_a_lock_as_the_real_one_does(tmp_path: Path) -> None:
    """The same story of two owners, told by the modelled server and by a real one."""

    def story(client: redis.Redis) -> list[object]:
        first, second = (
            RedisLock(client, "leaf", expire_s=1, auto_renewal=False) for _ in range(2)
        )
        told: list[object] = [first.acquire(blocking=False), second.acquire(blocking=False)]
        told += [first.owner == first.id, 0 < client.pttl("lock:leaf") <= 1000]
        first.release()
        told += [client.pttl("lock:leaf"), client.blpop(["lock-signal:leaf"], 1)]
        told += [second.acquire(blocking=False), second.owner == second.id]
        told += [client.get("nothing"), client.set("value", b"1", px=60_000), client.get("value")]
        return told

    clock = Clock()
    modelled: list[object] = []
    virtual = VirtualRedis(Store(clock, lambda: 0.0), lambda: 0.0, lambda: 0.0)
    clock.spawn(clock.now, lambda: modelled.extend(story(virtual)))
    clock.drain(clock.now + 100)

    with closing(Server(tmp_path / "s")) as server:
        real = story(server.client())
    assert [_plain(one) for one in modelled] == [_plain(one) for one in real]


def _plain(told: object) -> object:
    return tuple(told) if isinstance(told, list) else told


def test_a_process_refreshes_no_more_than_four_keys_at_once() -> None:
    many = Workload(
        rate=150, ttl_s=3, duration_s=18, recompute=Recompute(1.0), keys=30, zipf_s=0, processes=1
    )

    calls = faithful.run("lease", many, seed=1).calls

    early = calls[calls["early"]]
    begun = np.searchsorted(np.sort(early["begin_s"]), early["begin_s"], side="right")
    ended = np.searchsorted(np.sort(early["end_s"]), early["begin_s"] + 1e-9, side="right")
    assert (begun - ended).max() == THREADS


def test_a_signal_that_nobody_takes_is_gone_after_a_second() -> None:
    clock, told = Clock(), list[bool]()
    store = Store(clock, lambda: 0.0)

    def story() -> None:
        store.push_one("s")
        told.append(store.pop("s", 0.1))
        store.push_one("s")
        clock.sleep(2)
        told.append(store.pop("s", 0.1))

    clock.spawn(clock.now, story)
    clock.drain(clock.now + 10)

    assert told == [True, False]


def test_a_signal_wakes_whoever_waits_longest() -> None:
    clock, woken = Clock(), list[str]()
    store = Store(clock, lambda: 0.0)

    def wait(name: str) -> None:
        if store.pop("s", 5):
            woken.append(name)

    for number, name in enumerate("ab"):
        clock.spawn(clock.now + number, lambda name=name: wait(name))
    clock.at(clock.now + 2, lambda: store.push_one("s"))
    clock.drain(clock.now + 100)

    assert woken == ["a"]


def test_the_seeds_breaker_lets_a_process_make_one_value_at_a_time() -> None:
    asked = Requests(np.zeros(4), np.arange(4))

    record = faithful.run("seed-combined", replace(ONE_KEY, processes=1), seed=1, requests=asked)

    assert record.requests["wait_s"].round(3).sort_values().tolist() == [0.2, 0.4, 0.6, 0.8]


def test_early_calls_are_told_by_the_value_that_is_there() -> None:
    jittery = replace(ONE_KEY, jitter=0.5, duration_s=600)

    calls = faithful.run("xfetch", jittery, seed=1).calls
    late = faithful.run("none", jittery, seed=1).calls

    assert calls["early"].mean() > 0.5
    assert not late["early"].any()


def test_a_refusal_survives_the_way_out_of_a_worker() -> None:
    back = pickle.loads(pickle.dumps(faithful.TooManyRequests(5_000_000)))  # noqa: S301 - our own

    assert (back.value, back.limit) == (5_000_000, faithful.MOST_REQUESTS)


def test_what_would_be_too_many_is_not_even_drawn() -> None:
    with pytest.raises(faithful.TooManyRequests, match="1,000,000,000"):
        faithful.run("none", Workload(rate=1e6, duration_s=1e3), seed=1)


def test_whoever_still_waits_when_a_run_is_broken_off_is_ended() -> None:
    clock, ended = Clock(), list[str]()
    lock = VirtualLock(clock, lambda: 0.0)

    def hold() -> None:
        lock.acquire()
        try:
            clock.sleep(100)
        finally:
            ended.append("holder")

    def wait() -> None:
        try:
            lock.acquire()
        finally:
            ended.append("waiter")

    clock.begin(hold)
    clock.begin(wait)
    clock.close()

    assert sorted(ended) == ["holder", "waiter"]
