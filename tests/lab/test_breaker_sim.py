"""The breaker's simulator: what theory says exactly, it finds exactly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plantid_core.lab import breaker_sim
from plantid_core.lab.breaker_sim import (
    CONTESTANTS,
    SCENARIOS,
    BadProtection,
    BadScenario,
    Illness,
    Protection,
    Scenario,
)
from plantid_core.lab.breaker_sim.simulation import LOOK_S
from plantid_core.settings import load_settings

# Calls so short that none overlap; a service that fails always, or never.
PLAIN = Scenario(
    "plain",
    "Plain",
    "All calls fail from 20 to 80 s.",
    (Illness(20.0, 80.0, fail_rate=1.0, latency_s=0.001),),
    duration_s=120.0,
    latency_s=0.001,
    sigma=0.0,
    fail_rate=0.0,
    stretch=0.0,
)
CROWDED = replace(PLAIN, rate=50.0, spells=(Illness(20.0, 80.0, fail_rate=1.0, latency_s=1.0),))
IN_A_ROW = replace(CONTESTANTS["in a row only"], reset_timeout=10.0, growth=1.0, jitter=0.0)
NO_BREAKER = CONTESTANTS["no breaker"]


def open_spells(run: breaker_sim.Run) -> pd.DataFrame:
    return run.states.loc[run.states["state"] == "open"]


@pytest.mark.parametrize("fail_max", [1, 3, 7])
def test_it_opens_with_the_last_of_so_many_failures(fail_max: int) -> None:
    """Failures in a row open it with the fail_max-th, and every probe is one bad call more."""
    run = breaker_sim.run(replace(IN_A_ROW, fail_max=fail_max), PLAIN, seed=1)

    ill = run.calls.loc[run.calls["t_s"] >= PLAIN.begin_s]
    outcome = run.outcome
    assert outcome["time_to_open_s"] == pytest.approx(
        ill["t_s"].iloc[fail_max - 1] + 0.001 - PLAIN.begin_s
    )
    assert outcome["bad_calls_sent"] == fail_max + outcome["openings"] - 1


def test_without_a_breaker_every_bad_call_is_sent() -> None:
    """Who comes while the service fails meets the failure, and nobody is refused."""
    run = breaker_sim.run(NO_BREAKER, PLAIN, seed=2)

    came_ill = run.calls["t_s"].between(PLAIN.begin_s, PLAIN.end_s, inclusive="left")
    assert run.outcome["bad_calls_sent"] == came_ill.sum() == (run.calls["end"] == "failed").sum()
    assert run.outcome["upstream_calls"] == run.outcome["offered"]
    assert run.outcome["good_calls_refused"] == 0
    assert not run.outcome["opened"]
    assert math.isnan(run.outcome["time_to_open_s"])


def test_everybody_meets_the_same_requests() -> None:
    """Two contestants of one seed are offered the same, and another seed something else."""
    one, other = (
        breaker_sim.run(protection, SCENARIOS["brownout"], seed=3)
        for protection in (NO_BREAKER, IN_A_ROW)
    )
    third = breaker_sim.run(NO_BREAKER, SCENARIOS["brownout"], seed=4)

    assert one.scenario == other.scenario != third.scenario
    np.testing.assert_array_equal(one.calls["t_s"], other.calls["t_s"])
    both = one.calls["took_s"].notna() & other.calls["took_s"].notna()
    well = both & ~one.calls["ill"] & ~other.calls["ill"]
    np.testing.assert_array_equal(one.calls["took_s"][well], other.calls["took_s"][well])


@pytest.mark.parametrize("name", CONTESTANTS)
def test_a_run_repeats_exactly(name: str) -> None:
    """The same seed gives the same tables, whatever the time of day."""
    short = replace(SCENARIOS["flapping"], duration_s=160.0, rate=4.0)
    first, second = (breaker_sim.run(CONTESTANTS[name], short, seed=5) for _ in range(2))

    for table in ("timeline", "states", "calls"):
        pd.testing.assert_frame_equal(getattr(first, table), getattr(second, table))


@pytest.mark.parametrize("probes", [1, 3])
def test_no_more_probes_overlap_than_are_permitted(probes: int) -> None:
    """While probes wait for their answers, the crowd around them is refused."""
    protection = replace(IN_A_ROW, permitted_probes=probes)
    run = breaker_sim.run(protection, CROWDED, seed=6)

    first_open = float(open_spells(run)["begin_s"].iloc[0])
    sent = run.calls.loc[run.calls["took_s"].notna() & run.calls["ill"]]
    begun = sent.loc[sent["t_s"] > first_open, "t_s"].to_numpy()
    half_open = run.states.loc[run.states["state"] == "half-open"]
    per_spell = [
        int(((begun >= spell.begin_s - LOOK_S) & (begun < spell.end_s)).sum())
        for spell in half_open.itertuples()
        if spell.end_s < CROWDED.end_s
    ]
    assert per_spell
    assert set(per_spell) == {probes}


def test_retry_after_is_kept_to_the_second() -> None:
    """A failure that names a time opens it at once, for that time."""
    asked = replace(PLAIN, spells=(Illness(20.0, 80.0, 1.0, 0.001, retry_after_s=25.0),))
    run = breaker_sim.run(IN_A_ROW, asked, seed=7)

    opened = open_spells(run)
    lengths = (opened["end_s"] - opened["begin_s"]).to_numpy()
    np.testing.assert_allclose(lengths, 25.0, atol=LOOK_S)
    assert run.outcome["bad_calls_sent"] == run.outcome["openings"] == 3


def test_growth_makes_each_opening_longer() -> None:
    """Without jitter the openings last 2, 4, 8, … s."""
    run = breaker_sim.run(replace(IN_A_ROW, reset_timeout=2.0, growth=2.0), PLAIN, seed=8)

    opened = open_spells(run)
    lengths = (opened["end_s"] - opened["begin_s"]).to_numpy()
    np.testing.assert_allclose(lengths, 2.0 * 2.0 ** np.arange(len(lengths)), atol=LOOK_S)


def test_pybreaker_opens_and_resets_by_the_virtual_clock() -> None:
    """Its own code opens it with the fifth failure, and lets the first call after 10 s through."""
    protection = replace(CONTESTANTS["pybreaker, unlocked"], reset_timeout=10.0)
    run = breaker_sim.run(protection, PLAIN, seed=9)

    ill = run.calls.loc[run.calls["t_s"] >= PLAIN.begin_s]
    opened_at = float(ill["t_s"].iloc[4]) + 0.001
    sent = ill.loc[ill["took_s"].notna(), "t_s"].to_numpy()
    assert run.outcome["time_to_open_s"] == pytest.approx(opened_at - PLAIN.begin_s)
    later = ill.loc[ill["t_s"] >= opened_at + 10.0, "t_s"]
    assert sent[5] == later.iloc[0]


def test_pybreaker_as_published_calls_one_after_another() -> None:
    """It holds its lock while it calls: the time spent upstream never overlaps."""
    calm = replace(SCENARIOS["outage"], duration_s=200.0, rate=2.0, fail_rate=0.0, sigma=0.0)
    run = breaker_sim.run(CONTESTANTS["pybreaker"], calm, seed=10)

    before = run.calls.loc[run.calls["t_s"] + run.calls["wait_s"] < run.scenario.begin_s]
    ends = (before["t_s"] + before["wait_s"]).to_numpy()
    assert len(ends) > 20
    assert (np.diff(ends) >= calm.latency_s - 1e-6).all()


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_timeline_accounts_for_every_request(scenario: Scenario) -> None:
    """What came is what was answered, late, failed and refused; the states fill the run."""
    run = breaker_sim.run(CONTESTANTS["quick and by rates"], scenario, seed=11)

    ends = run.timeline[["ok", "late", "failed", "refused"]].sum()
    assert ends.sum() == run.timeline["offered"].sum() == run.outcome["offered"]
    assert ends.to_dict() == run.calls["end"].astype(str).value_counts().to_dict() | {
        name: 0 for name, count in ends.items() if not count
    }
    assert (run.states["end_s"] - run.states["begin_s"]).sum() == pytest.approx(scenario.duration_s)


def test_a_sweep_has_a_row_for_every_run() -> None:
    """The rows are those of the runs one by one, with the settings before them."""
    rows = breaker_sim.sweep(IN_A_ROW, {"fail_max": [2, 6]}, PLAIN, seeds=[1])

    alone = [breaker_sim.outcome(replace(IN_A_ROW, fail_max=count), PLAIN, 1) for count in (2, 6)]
    assert list(rows["fail_max"]) == [2, 6]
    assert list(rows["bad_calls_sent"]) == [row["bad_calls_sent"] for row in alone]
    assert rows["bad_calls_sent"].is_monotonic_increasing


def test_what_cannot_be_swept_is_told() -> None:
    """An unknown axis is refused before anything runs, and the known ones are named."""
    with pytest.raises(BadProtection, match="window_s"):
        breaker_sim.jobs(IN_A_ROW, {"colour": [1.0]}, PLAIN, [1])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"reset_timeout": 0.0}, "reset_timeout"),
        ({"failure_rate": 1.5}, "failure_rate"),
        ({"permitted_probes": 0}, "permitted_probes"),
        ({"kind": "pybreaker", "fail_max": 0}, "pybreaker"),
    ],
)
def test_settings_that_cannot_be_are_told(wrong: dict[str, object], told: str) -> None:
    """Before any run, with the setting's name."""
    with pytest.raises(BadProtection, match=told):
        Protection(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": 1e9}, "calls"),
        ({"duration_s": 70.0}, "spells"),
        ({"stretch": 1.0}, "stretch"),
        ({"fail_rate": -0.1}, "fail_rate"),
    ],
)
def test_scenarios_that_cannot_be_are_told(wrong: dict[str, float], told: str) -> None:
    """With the setting's name and what it may be."""
    with pytest.raises(BadScenario, match=told):
        replace(PLAIN, **wrong)  # type: ignore[arg-type]


def test_settings_go_to_the_app_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exported lines are settings the app reads as the same figures."""
    chosen = CONTESTANTS["quick and by rates"]
    for line in breaker_sim.environment(chosen).splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)

    settings = load_settings()

    assert settings.breaker_fail_max == chosen.fail_max
    assert settings.breaker_reset_s == chosen.reset_timeout
    assert settings.breaker_failure_rate == chosen.failure_rate
    assert settings.breaker_slow_rate == chosen.slow_rate
    assert settings.breaker_slow_call_s == chosen.slow_call_s
    assert settings.breaker_window_s == chosen.window_s
    assert settings.breaker_minimum_calls == chosen.minimum_calls
    assert settings.breaker_open_max_s == chosen.longest_open_s


def test_the_apps_defaults_are_the_apps() -> None:
    """The contestant of that name is set as an app without any setting is."""
    settings = load_settings()
    ours = CONTESTANTS["app's defaults"]

    assert (ours.fail_max, ours.reset_timeout) == (
        settings.breaker_fail_max,
        settings.breaker_reset_s,
    )
    with pytest.raises(BadProtection, match="no breaker"):
        breaker_sim.environment(NO_BREAKER)


def test_recovery_is_the_first_closing_after_the_trouble() -> None:
    """From the trouble's end until it is closed; a later false alarm is another matter."""
    uneasy = replace(PLAIN, fail_rate=0.05, duration_s=200.0)
    run = breaker_sim.run(replace(IN_A_ROW, fail_max=1), uneasy, seed=12)

    after = run.states.loc[(run.states["state"] == "closed") & (run.states["end_s"] > 80.0)]
    assert (open_spells(run)["begin_s"] > float(after["begin_s"].iloc[0])).any()
    assert run.outcome["time_to_recover_s"] == pytest.approx(float(after["begin_s"].iloc[0]) - 80.0)


def test_a_run_may_end_before_the_breaker_is_closed() -> None:
    """Then there is no time to recover, and it is told."""
    run = breaker_sim.run(replace(IN_A_ROW, reset_timeout=500.0), PLAIN, seed=13)

    assert not run.outcome["recovered"]
    assert math.isnan(run.outcome["time_to_recover_s"])
