"""Named scenarios, and their settings as lines of the environment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from plantid_core.lab import environment, scenarios, simulate
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
