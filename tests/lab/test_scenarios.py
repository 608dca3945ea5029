"""Named scenarios, and their settings as lines of the environment."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from plantid_core.lab import environment, scenarios, simulate, theory
from plantid_core.lab.simulate import fast_limits
from plantid_core.lab.simulate.fast_limits import RunTooLarge
from plantid_core.lab.workload import Workload, arrivals
from plantid_core.resilience import NAMES
from plantid_core.settings import load_settings

if TYPE_CHECKING:
    from plantid_core.lab.scenarios import Scenario

TRAFFIC = [one for one in scenarios.SCENARIOS.values() if one.kind == "traffic"]


@pytest.mark.parametrize("scenario", TRAFFIC, ids=lambda one: one.name)
def test_every_scenario_of_traffic_can_be_drawn(scenario: Scenario) -> None:
    """Its requests come, its strategies and axes are known, and it says what it is."""
    drawn = arrivals(scenario.workload, np.random.default_rng(1))

    assert len(drawn.times_s) == pytest.approx(
        scenario.workload.rate * scenario.workload.duration_s, rel=1.0
    )
    assert set(scenario.strategies) <= set(NAMES)
    assert scenario.title
    assert scenario.story.endswith((".", "?"))


def test_a_sweep_has_a_row_a_point_and_strategy() -> None:
    """β = 0 is never early: XFetch then makes as many calls as `none`, so more than with β = 1."""
    scenario = scenarios.SCENARIOS["beta-sweep"]

    rows = scenarios.run(scenario, 1)

    assert len(rows) == len(scenario.axes["beta"]) * len(scenario.strategies)
    alone = rows[rows["strategy"] == "xfetch"].set_index("beta")["calls_per_expiry"]
    assert alone[0.0] > alone[1.0] > alone[4.0]


def test_a_scenario_s_expiries_are_those_of_a_warm_cache() -> None:
    """XFetch's mean is what theory says, though the empty cache's crowd is much larger."""
    busy = Workload(rate=1000, ttl_s=10, duration_s=6000)
    scenario = scenarios.Scenario("busy", "Busy", "Busy.", busy, ("xfetch", "lease"))

    rows = scenarios.run(scenario, 1).set_index("strategy")

    cold = simulate.run("xfetch", busy, 1).expiries
    assert cold["calls"].iloc[0] > 100
    assert rows.loc["xfetch", "expiries"] == len(cold) - 1
    assert rows.loc["xfetch", "calls_per_expiry"] == pytest.approx(
        theory.recomputes_per_expiry(1.0), rel=0.2
    )
    assert rows.loc["lease", "calls_per_expiry"] == 1


def test_a_run_too_large_is_refused_before_it_begins() -> None:
    """By length, by requests, and by those that are no mere hits; it comes back from a worker too."""
    for strategy, workload, what in (
        ("none", Workload(duration_s=2e7), "seconds"),
        ("lease", Workload(rate=1e12), "requests"),
        ("redis-lock", Workload(rate=1e7, duration_s=6000), "calls and waits"),
    ):
        with pytest.raises(RunTooLarge) as refused:
            simulate.run(strategy, workload, 1)

        again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - of our own making
        assert (again.what, again.limit < again.value) == (what, True)
        assert str(again) == str(refused.value)


@pytest.mark.parametrize(
    ("strategy", "workload"),
    [
        ("none", Workload(rate=2000, ttl_s=20)),
        ("none", Workload(rate=200, ttl_s=20, fail_rate=1)),
        ("xfetch", Workload(rate=500, ttl_s=1, beta=50)),
        ("lease", Workload(rate=2000, ttl_s=5, keys=1000)),
    ],
    ids=["crowds", "failures", "always-early", "many-keys"],
)
def test_a_bound_on_work_lies_where_the_work_is(
    strategy: str, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of so many calls and waits is let through with a bound twice that, and not with half."""
    asked = simulate.run(strategy, workload, 1).requests
    had = asked["weight"][asked["how"].isin(["waited", "computed", "failed"])].sum()

    monkeypatch.setattr(fast_limits, "MOST_EVENTS", 2 * had)
    simulate.run(strategy, workload, 1)
    monkeypatch.setattr(fast_limits, "MOST_EVENTS", had / 2)
    with pytest.raises(RunTooLarge, match="calls and waits"):
        simulate.run(strategy, workload, 1)


def test_a_breaker_s_scenario_compares_contestants() -> None:
    """With no breaker, more bad calls are sent than with any."""
    rows = scenarios.run(scenarios.SCENARIOS["outage"], 1)

    sent = rows.groupby("protection")["bad_calls_sent"].mean()
    assert sent.idxmax() == "no breaker"
    assert len(sent) > 1


def test_no_number_is_none_in_plain_rows() -> None:
    """JSON has no NaN; numpy's own types become Python's."""
    rows = pd.DataFrame({"a": [math.nan, 1.5], "b": [1, 2], "c": [math.inf, 0.0], "d": ["x", "y"]})

    plain = scenarios.plain(rows)

    assert plain == [
        {"a": None, "b": 1, "c": None, "d": "x"},
        {"a": 1.5, "b": 2, "c": 0.0, "d": "y"},
    ]
    assert [type(value) for value in plain[1].values()] == [float, int, float, str]


def test_checks_hold_unless_one_does_not() -> None:
    """Rows without checks hold."""
    assert scenarios.checks_hold(pd.DataFrame({"a": [1]}))
    assert scenarios.checks_hold(pd.DataFrame({"holds": [True, True]}))
    assert not scenarios.checks_hold(pd.DataFrame({"holds": [True, False]}))


@pytest.mark.parametrize("strategy", ["lease", "xfetch", "redis-lock"])
def test_settings_of_the_lab_are_those_of_the_app(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written is read back as it was; who never recomputes early gets β = 0."""
    tried = Workload(ttl_s=90.5, soft_ttl_s=30, jitter=0.25, beta=1.5, lease_s=2)

    for line in environment.lines(tried, strategy).splitlines():
        if not line.startswith("#"):
            monkeypatch.setenv(*line.split("=", 1))
    read = load_settings()

    assert (read.hard_ttl_s, read.soft_ttl_s, read.ttl_jitter) == (90.5, 30, 0.25)
    assert (read.early_beta, read.lease_s) == (0 if strategy == "redis-lock" else 1.5, 2)


def test_lines_say_what_was_foretold() -> None:
    """Comments hold the run's own figures."""
    record = simulate.run("lease", Workload(rate=20, ttl_s=5, duration_s=60), 3)

    lines = environment.lines(record.workload, "lease", record)

    assert f"{record.summary()['calls_per_expiry'].iloc[0]:.2f} calls an expiry" in lines
    assert "seed 3" in lines
