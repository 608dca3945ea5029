"""What live runs make of what they saw, and what they refuse; no process is started."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from plantid_core.lab.live import TooMuch, limits
from plantid_core.lab.live.orders import Answers, Calls, Seen
from plantid_core.lab.live.tables import Rows, calls_table, requests_table
from plantid_core.lab.live.upstream import latency_ms, served
from plantid_core.lab.workload import Recompute, Requests, Workload
from plantid_core.sandbox.faults import Latency

AT = 500.0


def rows(
    answers: list[tuple[float, float, float, bool]],
    calls: list[tuple[float, float, bool]],
    due: list[float] | None = None,
) -> Rows:
    """Return one process's rows of key 0: begin, end, made, ran · begin, end, failed."""
    begin, end, made, ran = (np.array(column) for column in zip(*answers, strict=True))
    starts, ends, failed = (np.array(column) for column in zip(*calls, strict=True))
    count = len(answers)
    seen = Seen(
        Answers(np.arange(count), begin + AT, end + AT, made + AT, ran),
        Calls(starts + AT, ends + AT, np.zeros(len(calls), np.int64), failed),
        unanswered=0,
    )
    times = begin if due is None else np.array(due)
    return Rows.of([seen], [(times, np.zeros(count, np.int64))], AT)


def test_how_a_request_was_answered_follows_from_when_its_value_was_made() -> None:
    """Its own thread's, one made after it came, an old one, a fresh one, none."""
    answers = [
        (1.0, 1.2, 1.2, True),
        (1.1, 1.21, 1.2, False),
        (1.5, 1.5002, 1.2, False),
        (3.5, 3.5002, 1.2, False),
        (4.0, 4.2, math.nan, False),
    ]

    made = requests_table(rows(answers, [(1.0, 1.2, False), (4.0, 4.2, True)]), soft_s=2.0)

    assert list(made["how"]) == ["computed", "waited", "hit", "stale", "failed"]
    assert made["age_s"].iloc[2] == pytest.approx(0.3002)


def test_who_waited_in_vain_did_wait() -> None:
    """An old value after the end of a failed call is no hit; a slow hit far from any call is one."""
    calls = [(0.0, 0.1, False), (1.0, 1.2, True)]

    made = requests_table(
        rows([(1.1, 1.21, 0.1, False), (3.0, 3.02, 0.1, False)], calls), soft_s=9.0
    )

    assert list(made["how"]) == ["waited", "hit"]


def test_what_warmed_a_key_is_in_no_table() -> None:
    """It is told apart, with the time of its value."""
    seen = rows(
        [(-0.5, -0.3, -0.3, True), (0.1, 0.1001, -0.3, False)], [(-0.5, -0.3, False)], [-0.5, 0.1]
    )

    assert list(requests_table(seen, 1.0)["t_s"]) == pytest.approx([0.1])
    assert calls_table(seen, 1.0).empty
    assert seen.warmed_s() == {0: pytest.approx(-0.3)}


def test_a_call_is_early_while_the_last_value_is_fresh() -> None:
    """Failed calls make no value, so what comes after them is as early or late as before."""
    calls = [
        (-0.2, 0.0, False),
        (0.5, 0.6, True),
        (0.9, 1.1, False),
        (0.95, 1.15, False),
        (2.2, 2.4, False),
    ]

    made = calls_table(rows([(0.0, 0.1, 0.0, False)], calls), soft_s=1.0)

    assert list(made["early"]) == [True, True, True, False]


def test_the_most_that_wait_at_once_are_counted() -> None:
    """Two overlap, the third comes when both have gone."""
    answers = [(0.0, 1.0, 0.0, False), (0.5, 1.5, 0.0, False), (2.0, 2.5, 0.0, False)]

    assert rows(answers, [(0.0, 0.1, False)]).most_in_flight() == 2


@pytest.mark.parametrize(
    "recompute",
    [Recompute(0.2), Recompute(0.2, "lognormal", 0.7), Recompute(0.2, "exponential")],
    ids=lambda recompute: recompute.spread,
)
def test_the_sandbox_is_told_a_distribution_of_the_same_mean(recompute: Recompute) -> None:
    """What its dice draw has the mean that was asked for, and an exponential's deviation too."""
    told = Latency(**latency_ms(recompute))
    dice = np.random.default_rng(1)
    drawn = np.array([told.draw_s(dice) for _ in range(40_000)])

    assert drawn.mean() == pytest.approx(0.2, rel=0.02)
    if recompute.spread == "exponential":
        assert drawn.std() == pytest.approx(0.2, rel=0.06)
        assert served(recompute).spread == "lognormal"


@pytest.mark.parametrize(
    ("change", "setting", "limit"),
    [
        ({"duration_s": 121.0}, "duration", 120.0),
        ({"rate": 2001.0}, "rate", 2000.0),
        ({"rate": 500.0, "arrivals": "flash", "burst": 5.0}, "rate", 2000.0),
        ({"processes": 9}, "processes", 8),
        ({"recompute": Recompute(11.0)}, "recompute time", 10.0),
    ],
)
def test_too_much_is_refused_with_its_limit(
    change: dict[str, object], setting: str, limit: float
) -> None:
    """The error names what, how much it would be, and how much there may be."""
    workload = replace(Workload(duration_s=10.0), **change)  # type: ignore[arg-type]

    with pytest.raises(TooMuch, match="simulate") as caught:
        limits.check(workload, Requests(np.empty(0), np.empty(0, np.int64)))

    assert (caught.value.setting, caught.value.limit) == (setting, limit)
    assert caught.value.value > limit


def test_a_crowd_in_given_requests_is_found() -> None:
    """Their busiest second counts, not what the settings say."""
    crowd = Requests(np.linspace(5, 6, 3000, endpoint=False), np.zeros(3000, np.int64))

    with pytest.raises(TooMuch, match="requests/s"):
        limits.check(Workload(rate=10, duration_s=10), crowd)


def test_threads_are_enough_for_all_who_may_wait_at_once() -> None:
    """The most that one process is sent within a spell, and some to spare; too many are refused."""
    times = np.concatenate([[0.0, 5.0], np.linspace(9, 9.5, 30)])
    dealt = np.array([0, 0, *[1] * 30])

    assert 30 < limits.threads(times, dealt, 1.0, None) < 60
    assert limits.threads(times, dealt, 1.0, 3) == 3
    with pytest.raises(TooMuch, match="threads a process"):
        limits.threads(np.linspace(0, 1, 500), np.zeros(500, np.int64), 1.0, None)
