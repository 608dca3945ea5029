"""The lab's charts: what is drawn, and what is said, follow from the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plantid_core.lab.charts import (
    ChartNotExported,
    curve,
    heat_map,
    lane,
    png,
    trade_off,
    waits,
    waterfall,
)
from plantid_core.lab.record import CALLS, REQUESTS, Record, expiries_of, table, upstream_of
from plantid_core.lab.workload import Workload
from plantid_core.palette import STRATEGY_COLOURS
from plantid_core.resilience import NAMES

WORK = Workload(rate=10.0, ttl_s=10.0, soft_ttl_s=2.0, duration_s=30.0)


def record(
    strategy: str,
    requests: list[tuple[float, float, str, float]],
    calls: list[tuple[float, float, bool]],
    source: str = "faithful",
) -> Record:
    """Return a record of requests (t, wait, how, age) and calls (begin, end, failed) of one key."""
    times, waited, how, ages = zip(*requests, strict=True)
    begins, ends, failed = zip(*calls, strict=True) if calls else ((), (), ())
    asked = table(
        REQUESTS, t_s=times, key=[0] * len(times), process=[0] * len(times), wait_s=waited,
        how=how, age_s=ages, weight=[1.0] * len(times),
    )  # fmt: skip
    made = table(
        CALLS, begin_s=begins, end_s=ends, key=[0] * len(begins), process=[0] * len(begins),
        early=[False] * len(begins), failed=failed,
    )  # fmt: skip
    begun = np.array(begins, dtype=np.float64)
    return Record(
        strategy, source, WORK, 1, len(times), asked, made,  # type: ignore[arg-type]
        expiries_of(made, asked), upstream_of(begun, WORK.duration_s),
    )  # fmt: skip


def stampede() -> Record:
    asked = [(-0.1, 0.0, "hit", 1.9), (0.0, 0.2, "computed", 0.0), (0.1, 0.2, "computed", 0.0)]
    return record("none", asked, [(0.0, 0.2, False), (0.1, 0.3, False)])


def calm() -> Record:
    asked = [(-0.1, 0.0, "hit", 1.9), (0.0, 0.0, "stale", 2.0), (0.1, 0.0, "stale", 2.1)]
    return record("lease", asked, [(0.0, 0.2, False)])


def test_every_strategy_has_a_colour_of_its_own() -> None:
    """No two strategies share a colour, and none has none."""
    assert set(STRATEGY_COLOURS) == set(NAMES)
    assert len(set(STRATEGY_COLOURS.values())) == len(NAMES)


@pytest.mark.parametrize("page", ["#ffffff", "#141a17"])
def test_every_colour_is_seen_on_light_and_on_dark(page: str) -> None:
    """Three to one against the page, as WCAG 2.2 asks of what is no text (1.4.11)."""
    for colour in STRATEGY_COLOURS.values():
        low, high = sorted([luminance(page), luminance(colour)])
        assert (high + 0.05) / (low + 0.05) >= 3


def luminance(colour: str) -> float:
    channels = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_a_waiter_is_a_line_from_its_arrival_to_its_answer() -> None:
    """The lane of a stampede has a line a waiter and a bar a call, at their times."""
    figure = waterfall.figure([stampede()])

    (lines,) = figure.select_traces({"mode": "lines"})
    (bars,) = figure.select_traces({"type": "bar"})
    np.testing.assert_allclose(
        np.array(lines.x, dtype=np.float64), [0.0, 0.2, np.nan, 0.1, 0.3, np.nan]
    )
    np.testing.assert_allclose(np.array(bars.base, dtype=np.float64), [0.0, 0.1])
    np.testing.assert_allclose(np.array(bars.x, dtype=np.float64), [0.2, 0.2])


def test_each_strategy_has_a_lane_on_the_same_time_axis() -> None:
    """Two strategies are two plots, one under the other, whose times move together."""
    figure = waterfall.figure([stampede(), calm()], window=(-1.0, 1.0))

    heads = [note.text for note in figure.layout.annotations]
    assert "2 calls · longest wait 200 ms · no answer stale" in heads[0]
    assert "1 call · longest wait < 1 ms · 2 stale, ≤ 100 ms" in heads[1]
    assert figure.layout.xaxis.matches == "x2"
    assert tuple(figure.layout.xaxis2.range) == (-1.0, 1.0)


def test_live_points_have_another_shape() -> None:
    """What is live is told by crosses and hollow bars, not by colour alone."""
    figure = waterfall.figure([stampede()], [replace(stampede(), source="live")])

    points = {trace.name: trace for trace in figure.select_traces({"mode": "markers"})}
    solid, hollow = figure.select_traces({"type": "bar"})
    assert points["none: answered at once, live"].marker.symbol == "cross-thin"
    assert points["none: waited, live"].marker.symbol == "cross"
    assert points["none: waited"].marker.symbol == "circle"
    assert solid.marker.color == STRATEGY_COLOURS["none"]
    assert hollow.marker.color == "rgba(0,0,0,0)"
    assert "live, on real processes" in [trace.name for trace in figure.data if trace.showlegend]


def test_the_legend_names_only_what_is_drawn() -> None:
    """A chart without failures has no word for them."""
    named = [trace.name for trace in waterfall.figure([calm()]).data if trace.showlegend]

    assert named == ["answered at once", "answered with the old value", "call upstream"]


def test_the_lanes_finding_names_the_worst_and_the_best() -> None:
    """The sentence has the figures of both, and of stale answers."""
    said = waterfall.finding([stampede(), calm()])

    assert "an unguarded cache (none) made 2 calls and let 2 requests wait up to 200 ms" in said
    assert "lease made 1 call and let nobody wait" in said
    assert "lease answered 2 requests with the old value, at most 100 ms past its time" in said


def test_the_lanes_finding_changes_with_the_data() -> None:
    """With equal figures nobody is called worse; failures are told."""
    same = waterfall.finding([stampede(), replace(stampede(), strategy="xfetch")])
    failed = record("redis-lock", [(0.0, 0.3, "failed", np.nan)], [(0.0, 0.3, True)])

    assert "all made 2 calls" in same
    assert "Requests that failed: redis-lock 1." in waterfall.finding([failed])
    assert "nothing was asked" in waterfall.finding([])


def test_the_lanes_finding_has_the_longest_wait_of_all() -> None:
    """As many calls and waiters everywhere: the wait told is the slowest lane's, wherever it stands."""
    slow = record(
        "redlock", [(0.0, 0.3, "computed", 0.0), (0.1, 0.4, "waited", 0.0)], [(0.0, 0.3, False)]
    )
    quick = record(
        "lease", [(0.0, 0.2, "computed", 0.0), (0.1, 0.1, "waited", 0.0)], [(0.0, 0.2, False)]
    )
    alone = [record(name, [(0.0, wait, "computed", 0.0)], [(0.0, wait, False)])
             for name, wait in (("lease", 0.2), ("redlock", 0.3))]  # fmt: skip

    for lanes in ([quick, slow], [slow, quick]):
        assert "all made 1 call and let 2 requests wait up to 400 ms." in waterfall.finding(lanes)
    assert "let 1 request wait up to 300 ms." in waterfall.finding(alone)


def test_a_live_record_is_cut_to_one_expiry_and_moved_to_it() -> None:
    """Its times are from the soft expiry of the value before: made at 1.0, stale from 3.0 on."""
    asked = [(0.8, 0.2, "computed", 0.0), (2.9, 0.0, "hit", 1.9), (3.1, 0.2, "computed", 0.0)]
    run = record("none", asked, [(0.8, 1.0, False), (3.1, 3.3, False)], "live")

    cut = lane.around(run, 0.5, 0.5)

    assert cut is not None
    np.testing.assert_allclose(cut.requests["t_s"], [-0.1, 0.1])
    np.testing.assert_allclose(cut.calls[["begin_s", "end_s"]], [[0.1, 0.3]])


def test_the_expiry_shown_has_the_median_number_of_calls() -> None:
    """Of three with 3, 2 and 1 calls it is the second: neither the worst, nor a lucky one."""
    begins = [0.0, 3.0, 3.05, 3.1, 6.0, 6.05, 9.0]
    asked = [(begin, 0.2, "computed", 0.0) for begin in begins]

    cut = lane.around(record("none", asked, [(t, t + 0.2, False) for t in begins]), 1.0, 1.0)

    assert cut is not None
    assert len(cut.calls) == 2
    # The value before was made at 3.3, the last of its three, and soft-expired 2 s later.
    np.testing.assert_allclose(cut.calls["begin_s"], [0.7, 0.75])


def test_a_record_without_a_second_value_has_no_expiry_to_show() -> None:
    """Of a first value it is not known when the one before would have expired."""
    assert lane.around(stampede(), 0.5, 0.5) is None


CURVE = pd.DataFrame(
    {
        "strategy": ["none", "none", "lease", "lease"],
        "load": [1.0, 100.0, 1.0, 100.0],
        "calls_per_expiry": [2.0, 101.0, 1.0, 1.0],
    }
)


def test_the_curve_has_a_line_a_strategy_and_the_theory() -> None:
    """Simulated lines, the two closed forms, and live crosses over them."""
    live = pd.DataFrame({"strategy": ["none"], "load": [8.0], "calls_per_expiry": [9.5]})

    figure = curve.figure(CURVE, live, load=8.0, beta=1.0)

    lines = {trace.name: trace for trace in figure.data}
    np.testing.assert_allclose(lines["none"].y, [2.0, 101.0])
    np.testing.assert_allclose(lines["theory: 1 + λΔ"].y, 1 + np.array(lines["theory: 1 + λΔ"].x))
    np.testing.assert_allclose(lines["theory: e^(1/β) = 2.72"].y, np.e)
    assert lines["live, on real processes"].marker.symbol == "cross"
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_the_curves_finding_says_who_grows_and_who_stays() -> None:
    """Both ends of the worst and of the best line are in the sentence."""
    assert curve.finding(CURVE) == (
        "From λΔ = 1 to 100, an unguarded cache (none) rises from 2 to 101 calls an expiry; lease stays"
        " at 1 call an expiry."
    )
    alone = curve.finding(CURVE.loc[CURVE["strategy"] == "none"])
    assert alone == (
        "From λΔ = 1 to 100, an unguarded cache (none) rises from 2 to 101 calls an expiry."
    )


def test_the_distribution_counts_each_row_by_its_weight() -> None:
    """A sampled hit that stands for eight requests is eight of ten."""
    run = record("none", [(0, 0.0, "hit", 1), (1, 0.1, "waited", 0), (2, 0.2, "computed", 0)], [])
    run.requests["weight"] = [8.0, 1.0, 1.0]

    waited, share = waits.distribution(run)

    np.testing.assert_allclose(waited, [1e-4, 0.1, 0.2])
    np.testing.assert_allclose(share, [0.8, 0.9, 1.0])


def test_the_waits_finding_compares_the_slowest_requests() -> None:
    """The sentence has the times of the best and the worst."""
    said = waits.finding([stampede(), calm()])

    assert said == (
        "99.9 % of requests were answered within < 1 ms by lease, and within 200 ms by an unguarded cache"
        " (none)."
    )
    assert "answered within 200 ms: an unguarded cache (none)." in waits.finding([stampede()])


def test_the_front_holds_those_whom_nobody_beats() -> None:
    """Less cost or less waiting than any other is on the front; more of both is not."""
    figures = pd.DataFrame(
        {
            "strategy": ["none", "xfetch", "lease"],
            "calls_per_expiry": [9.0, 2.7, 1.0],
            "wait_p999_s": [0.2, 0.0, 0.05],
            "stale_share": [0.0, 0.0, 0.01],
        }
    )

    on_front = trade_off.front(figures, ("calls_per_expiry", "wait_p999_s"))
    figure = trade_off.figure(figures)

    assert on_front == [False, True, True]
    line, *points = figure.data
    np.testing.assert_allclose(line.x, [1.0, 2.7])
    assert [point.marker.symbol.endswith("-open") for point in points] == [True, False, False]
    assert [point.name for point in points] == ["none", "xfetch", "lease, 1 % stale"]
    assert points[2].marker.size > points[1].marker.size
    assert trade_off.finding(figures) == (
        "xfetch and lease are beaten in neither calls nor waiting. An unguarded cache"
        " (none) takes 9 calls an expiry, and 200 ms."
    )


SWEEP = pd.DataFrame(
    {
        "beta": [0.5, 0.5, 1.0, 1.0, 1.0],
        "ttl_s": [10.0, 60.0, 10.0, 60.0, 60.0],
        "calls_per_expiry": [9.0, 7.0, 3.0, 2.0, 4.0],
    }
)


def test_the_heat_map_averages_what_was_swept_beside() -> None:
    """Two rows of one cell are its mean."""
    figure = heat_map.figure(SWEEP, "beta", "ttl_s", "calls_per_expiry")

    np.testing.assert_allclose(figure.data[0].z, [[9.0, 3.0], [7.0, 3.0]])


def test_the_heat_maps_finding_says_where_it_is_least_and_most() -> None:
    """The sentence has both places."""
    said = heat_map.finding(SWEEP.iloc[:4], "beta", "ttl_s", "calls_per_expiry")

    assert said == (
        "Calls per expiry is least, 2, at beta 1 and ttl, s 60; most, 9, at beta 0.5 and ttl, s 10."
    )


def test_a_picture_without_a_browser_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Chromium gets a sentence."""
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ChartNotExported, match="chromium"):
        png(curve.figure(CURVE))
