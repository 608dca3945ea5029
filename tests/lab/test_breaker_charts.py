"""The breaker lab's charts: what they draw, and the sentence that says it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from plantid_core.lab import breaker_charts, breaker_sim, breaker_sweep_charts
from plantid_core.lab.breaker_sim import CONTESTANTS, SCENARIOS

SWEPT = pd.DataFrame(
    {
        "fail_max": [1, 1, 5, 5],
        "reset_timeout": [2.0, 10.0, 2.0, 10.0],
        "bad_calls_sent": [10, 5, 30, 20],
        "good_calls_refused": [1, 9, 2, 20],
        "availability": [0.9, 0.8, 0.7, 0.6],
        "time_to_recover_s": [1.0, 3.0, 2.0, np.nan],
    }
)


def test_the_ribbon_draws_each_spell_of_each_state() -> None:
    """Every spell is a bar at its time, and a state is told by colour, height and word."""
    run = breaker_sim.run(CONTESTANTS["quick and by rates"], SCENARIOS["outage"], seed=1)
    figure = breaker_charts.ribbon(run.timeline, run.states)

    bars = {bar.name.split()[-1]: bar for bar in figure.data[:3]}
    for state, rows in run.states.groupby("state"):
        assert list(bars[str(state)].base) == list(rows["begin_s"])
        assert list(bars[str(state)].x) == list(rows["end_s"] - rows["begin_s"])
    assert len({bar.marker.color for bar in bars.values()}) == 3
    assert len({bar.width for bar in bars.values()}) == 3


def test_a_long_quiet_run_is_cut_to_its_trouble() -> None:
    """What is drawn begins shortly before the first spell, and ends shortly after the recovery."""
    run = breaker_sim.run(CONTESTANTS["quick and by rates"], SCENARIOS["flapping"], seed=1)

    begin, end = breaker_charts.trouble(run)

    apart = run.states.loc[run.states["state"] != "closed"]
    assert begin == max(0, run.scenario.begin_s - 20)
    assert end == min(run.scenario.duration_s, max(run.scenario.end_s, apart["end_s"].max()) + 40)
    assert end - begin < run.scenario.duration_s / 2


def test_no_fill_is_two_things() -> None:
    """Errors and the service's spells are not drawn in a state's colour, and each has its word."""
    run = breaker_sim.run(CONTESTANTS["quick and by rates"], SCENARIOS["outage"], seed=1)

    figure = breaker_charts.ribbon(run.timeline, run.states, [(1.0, 2.0)])

    fills = {bar.name: bar.marker.color for bar in figure.data if bar.type == "bar"}
    assert len(set(fills.values())) == len(fills) == 5
    assert "service ill" in fills
    assert not figure.layout.annotations


def test_the_ribbons_sentence_has_the_runs_figures() -> None:
    """It says what the data say, and something else of other data."""
    runs = {
        name: breaker_sim.run(CONTESTANTS[name], SCENARIOS["outage"], seed=1)
        for name in ("no breaker", "app's defaults")
    }
    sentences = {name: breaker_charts.ribbon_finding(run) for name, run in runs.items()}
    never = breaker_sim.run(
        replace(CONTESTANTS["in a row only"], fail_max=5000), SCENARIOS["outage"], seed=1
    )

    guarded = runs["app's defaults"].outcome
    assert f"{runs['no breaker'].outcome['bad_calls_sent']} bad calls" in sentences["no breaker"]
    assert f"opened {guarded['time_to_open_s']:.1f} s after" in sentences["app's defaults"]
    assert f"{guarded['good_calls_refused']} requests were refused" in sentences["app's defaults"]
    assert "never opened" in breaker_charts.ribbon_finding(never)


def test_the_map_names_its_best_and_worst() -> None:
    """By the figure, in the direction that is good; what has no figure is left out and told."""
    axes = ("reset_timeout", "fail_max")
    sent = breaker_sweep_charts.heat_finding(SWEPT, *axes, "bad_calls_sent")
    answered = breaker_sweep_charts.heat_finding(SWEPT, *axes, "availability")
    recovered = breaker_sweep_charts.heat_finding(SWEPT, *axes, "time_to_recover_s")

    assert "best 5 calls at open for 10 s and failures in a row 1" in sent
    assert "worst 30 calls at open for 2 s and failures in a row 5" in sent
    assert "best 90.0 % at open for 2 s and failures in a row 1" in answered
    assert "1 point without a figure" in recovered
    figure = breaker_sweep_charts.heat(SWEPT, *axes, "bad_calls_sent")
    np.testing.assert_array_equal(figure.data[0].z, [[10, 5], [30, 20]])


def test_the_trade_off_marks_its_pareto_front() -> None:
    """Settings that another beats in both are not on it."""
    by = ("fail_max", "reset_timeout")
    figure = breaker_sweep_charts.trade_off(SWEPT, by)

    assert list(figure.data[0].x) == [5, 10]
    sentence = breaker_sweep_charts.trade_off_finding(SWEPT, by)
    assert sentence.startswith("2 of 4 settings")


def test_equals_share_the_front() -> None:
    """Of two points alike neither beats the other."""
    costs = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 2.0], [0.0, 3.0]])

    assert breaker_sweep_charts.pareto(costs).tolist() == [True, True, False, True]
