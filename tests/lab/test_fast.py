"""The fast engine, against closed forms and against a model that looks at every single request."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from plantid_core.lab.record import expiries_of
from plantid_core.lab.simulate import fast
from plantid_core.lab.workload import Recompute, Requests, Workload, arrivals
from plantid_core.resilience.strategies import NAMES

if TYPE_CHECKING:
    from plantid_core.lab.record import Record

ONE_KEY = Workload(rate=40.0, duration_s=600.0, ttl_s=6.0, recompute=Recompute(0.25))
ROUGH = Workload(
    rate=60.0, duration_s=400.0, ttl_s=4.0, soft_ttl_s=2.5, jitter=0.3, keys=6, fail_rate=0.2,
    arrivals="bursty", burst_s=20.0, processes=3, recompute=Recompute(0.3, "lognormal"), beta=1.5,
)  # fmt: skip


def apart(one: list[float], two: list[float]) -> float:
    """Return how far two means are apart, in standard errors."""
    error = math.sqrt(np.var(one, ddof=1) / len(one) + np.var(two, ddof=1) / len(two))
    return abs(float(np.mean(one)) - float(np.mean(two))) / max(error, 1e-12)


@dataclass
class EveryRequest:
    """One key of `none`, `xfetch`, `redis-lock` or `lease`, a request at a time; Δ is constant."""

    strategy: str
    load: Workload
    rng: np.random.Generator
    begins: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def run(self) -> None:
        hard, pending, delta = -math.inf, list[float](), self.load.recompute.mean_s
        for t in arrivals(self.load, self.rng).times_s.tolist():
            while pending and pending[0] <= t:
                hard = pending.pop(0) + self.load.ttl_s
            draw = -math.log(1.0 - self.rng.random()) * self.load.beta * delta
            early = self.strategy in {"xfetch", "lease"} and t + draw >= hard
            single, calls, wait = self.strategy in {"redis-lock", "lease"}, False, 0.0
            if t >= hard:
                calls = not (single and pending)
                wait = pending[0] - t if single and pending else delta
            elif early:
                calls = not (single and pending)
                wait = delta if calls and not single else 0.0
            if calls:
                pending.append(t + delta)
                self.begins.append(t)
            self.waits.append(wait)


def mean_wait(record: Record) -> float:
    rows = record.requests
    return float(np.average(rows["wait_s"], weights=rows["weight"]))


@pytest.mark.parametrize("strategy", ["none", "xfetch", "redis-lock", "lease"])
def test_skipping_what_cannot_matter_changes_nothing(strategy: str) -> None:
    """Calls a second and waits are those of a model that looks at every request."""
    calls: tuple[list[float], list[float]] = ([], [])
    waits: tuple[list[float], list[float]] = ([], [])
    for seed in range(12):
        model = EveryRequest(strategy, ONE_KEY, np.random.default_rng(seed))
        model.run()
        record = fast.run(strategy, ONE_KEY, seed)

        for both, one, two in (
            (calls, len(model.begins), len(record.calls)),
            (waits, float(np.mean(model.waits)), mean_wait(record)),
        ):
            both[0].append(one)
            both[1].append(two)

    assert apart(*calls) < 4
    assert apart(*waits) < 4


@pytest.mark.parametrize("strategy", NAMES)
def test_replayed_requests_fare_as_drawn_ones(strategy: str) -> None:
    """The two ways to find the next event agree: skipping in a list, and inverting the rate."""
    calls: tuple[list[float], list[float]] = ([], [])
    waits: tuple[list[float], list[float]] = ([], [])
    for seed in range(14):
        asked = arrivals(ROUGH, np.random.default_rng(1000 + seed))
        replayed = fast.run(strategy, ROUGH, seed, requests=asked)
        drawn = fast.run(strategy, ROUGH, seed)

        assert replayed.offered == len(asked.times_s)
        for place, record in enumerate((replayed, drawn)):
            calls[place].append(float(record.expiries["calls"].mean()))
            waits[place].append(mean_wait(record))

    assert apart(*calls) < 4
    assert apart(*waits) < 4


@pytest.mark.parametrize("strategy", NAMES)
def test_expiries_are_those_of_the_definition(strategy: str) -> None:
    """What the kernels count as they go is what `expiries_of` finds afterwards."""
    record = fast.run(strategy, ROUGH, 3)

    again = expiries_of(record.calls, record.requests)

    for column in ("t_s", "key", "calls", "early"):
        assert record.expiries[column].tolist() == again[column].tolist()
    assert record.expiries["waiters"].sum() == again["waiters"].sum()
    assert np.allclose(record.expiries["longest_wait_s"], again["longest_wait_s"])


@pytest.mark.parametrize("strategy", NAMES)
def test_the_tables_add_up(strategy: str) -> None:
    """Rows stand for all requests, calls are counted by second, and each call ends after it began."""
    record = fast.run(strategy, ROUGH, 4, sample=500)

    assert record.requests["weight"].sum() == pytest.approx(record.offered)
    assert record.upstream["calls"].sum() == len(record.calls) == record.expiries["calls"].sum()
    assert (record.calls["end_s"] > record.calls["begin_s"]).all()
    assert record.offered == pytest.approx(60 * 400, rel=0.5)


def test_nothing_done_lets_one_and_load_call() -> None:
    """λΔ = 10: the first, and as many as come while it is under way."""
    calls = fast.expiries("none", ONE_KEY.with_load(10.0), 1)["calls"]

    assert calls.mean() == pytest.approx(11, abs=4 * math.sqrt(10 / len(calls)))


@pytest.mark.parametrize("strategy", ["redis-lock", "xfetch+lock", "redlock", "lease", "seed-lock"])
def test_under_a_lock_one_calls(strategy: str) -> None:
    """However many ask, where calls do not fail."""
    assert set(fast.expiries(strategy, ONE_KEY.with_load(50.0), 1)["calls"]) == {1}


def test_coalescing_lets_one_a_process_call() -> None:
    """With a load at which every process is asked in time."""
    calls = fast.expiries("coalesce", replace(ONE_KEY.with_load(200.0), processes=3), 1)["calls"]

    assert set(calls) == {3}


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_early_answers_need_beta(beta: float) -> None:
    """At β = 0 nobody recomputes early; at 1 and a load of 10 nearly always somebody does."""
    made = fast.expiries("xfetch", replace(ONE_KEY.with_load(10.0), beta=beta), 1)

    assert made["early"].mean() == pytest.approx(beta, abs=0.05)


def test_the_wrong_sign_is_never_early() -> None:
    """``seed-early`` lets its stampede come."""
    assert not fast.run("seed-early", ONE_KEY, 1).calls["early"].any()


def test_everyone_who_waits_for_a_failing_lease_fails_with_it() -> None:
    """No convoy: what begins to wait for a failing call ends with it."""
    failing = replace(ONE_KEY, fail_rate=1.0, duration_s=60.0)

    record = fast.run("lease", failing, 1)

    assert set(record.requests["how"]) == {"failed"}
    assert record.requests["wait_s"].max() <= 0.25 + 1e-9


def test_a_failing_lock_is_a_convoy() -> None:
    """One after the other tries, until patience ends."""
    failing = replace(ONE_KEY, fail_rate=1.0, duration_s=120.0)

    waits = fast.run("redis-lock", failing, 1).requests["wait_s"]

    assert waits.max() == pytest.approx(60.0, abs=0.26)


def test_stale_answers_hide_the_refresh() -> None:
    """With a soft TTL, only the empty cache's first value is waited for."""
    record = fast.run("lease", replace(ONE_KEY, soft_ttl_s=3.0, beta=0.0), 1)

    waited = record.requests.loc[record.requests["wait_s"] > 0]
    first = record.calls["end_s"].min()
    assert (waited["t_s"] < first).all()
    assert (record.requests["how"] == "stale").any()


def test_a_poller_waits_up_to_a_nap_longer() -> None:
    """``redlock`` adds the rest of a nap of 5 to 44 ms, half a nap and a bit in the mean."""

    def waited(strategy: str) -> np.ndarray:
        rows = fast.run(strategy, ONE_KEY.with_load(100.0), 1).requests
        return rows.loc[rows["how"] == "waited", "wait_s"].to_numpy()

    naps = np.arange(5, 45) / 1000
    rest = float((naps**2).mean() / naps.mean() / 2)
    signalled, polled = waited("redis-lock"), waited("redlock")

    error = math.hypot(signalled.std(), polled.std()) / math.sqrt(len(polled))
    assert polled.mean() - signalled.mean() == pytest.approx(rest, abs=4 * error + 0.001)
    assert polled.max() < 0.25 + 0.044


def test_a_breaker_is_one_for_all_keys_of_a_process() -> None:
    """Five failures in a row, of whatever keys, and nothing is called for a minute."""
    failing = replace(ONE_KEY, keys=5, zipf_s=0.0, processes=1, fail_rate=1.0, duration_s=59.0)

    record = fast.run("seed-combined", failing, 1)

    assert len(record.calls) == 5
    assert (record.calls["begin_s"].to_numpy()[1:] >= record.calls["end_s"].to_numpy()[:-1]).all()


@pytest.mark.parametrize("strategy", NAMES)
def test_a_seed_is_a_run(strategy: str) -> None:
    """The same tables again, from other threads too; other ones for another seed."""
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda seed: fast.run(strategy, ROUGH, seed), [7, 7, 8]))

    assert runs[0].requests.equals(runs[1].requests)
    assert runs[0].calls.equals(runs[1].calls)
    assert not runs[0].calls.equals(runs[2].calls)


def test_what_is_too_much_is_a_fair_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the rows that are kept, means stay, and so does what is counted by second."""
    whole = fast.run("none", ONE_KEY, 5)
    monkeypatch.setattr(fast, "MOST_ROWS", 300)

    part = fast.run("none", ONE_KEY, 5)

    assert len(whole.calls) > 600
    assert len(part.calls) <= 300
    assert part.upstream["calls"].sum() == pytest.approx(whole.upstream["calls"].sum(), rel=0.2)
    assert part.requests["weight"].sum() == pytest.approx(part.offered)


def test_fewer_hits_tell_the_same() -> None:
    """A sample's weights make up for it: the mean age is half a life, whatever is kept."""
    ages = [fast.run("none", ONE_KEY, 1, sample=sample).summary()["age_mean_s"][0]
            for sample in (1000, 100_000)]  # fmt: skip

    # A value lives for its TTL from the last writer's end.
    assert ages == [pytest.approx(3.0, abs=0.25)] * 2


def test_the_curve_has_a_row_a_point() -> None:
    """Nothing done grows with the load, a lease does not."""
    found = fast.curve(["none", "lease"], ONE_KEY, [1.0, 30.0], 1, expiries=100)

    sizes = found.set_index(["strategy", "load"])["calls_per_expiry"]
    assert sizes["none", 30.0] == pytest.approx(31, rel=0.1)
    assert sizes["none", 1.0] == pytest.approx(2, rel=0.25)
    assert (sizes["lease"] == 1).all()


@pytest.mark.parametrize(
    ("times", "keys"),
    [([1.0, 0.5], [0, 0]), ([1.0], [0, 0]), ([], []), ([1.0], [-1]), ([math.nan], [0])],
)
def test_requests_that_cannot_be_are_refused(times: list[float], keys: list[int]) -> None:
    """Out of order, of another number, none, of no key, at no time."""
    asked = Requests(np.array(times), np.array(keys, dtype=np.int64))

    with pytest.raises(fast.BadRequests):
        fast.run("none", ONE_KEY, 1, requests=asked)


def test_an_unknown_strategy_is_refused() -> None:
    """With the names of those that there are."""
    with pytest.raises(fast.UnknownStrategy, match="lease"):
        fast.run("hope", ONE_KEY, 1)
    with pytest.raises(fast.UnknownStrategy, match="lease"):
        fast.curve(["hope"], ONE_KEY, [1.0], 1)
