"""A sliding window's promises, whatever comes when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.web.guards.windows import Rate, SlidingWindows, rate_of

if TYPE_CHECKING:
    from collections.abc import Iterable

PERIOD_S = 60
rates = st.builds(Rate, st.integers(1, 30), st.just(PERIOD_S))
# Steps of an eighth of a second are exact in floating point.
gaps = st.lists(st.integers(0, 300).map(lambda eighths: eighths / 8), min_size=1, max_size=200)


def allowed_at(windows: SlidingWindows, times: Iterable[float]) -> list[float]:
    return [now for now in times if windows.take("a", now).allowed]


def times_of(steps: list[float], begin: float) -> list[float]:
    times, now = [], begin
    for step in steps:
        now += step
        times.append(now)
    return times


@pytest.mark.parametrize(
    ("text", "rate"),
    [("60/minute", Rate(60, 60)), ("5/second", Rate(5, 1)), ("9/day", Rate(9, 86400)), ("", None)],
)
def test_a_rate_is_read_as_the_settings_write_it(text: str, rate: Rate | None) -> None:
    """And told in words that a person reads."""
    assert rate_of(text) == rate
    assert str(Rate(60, 60)) == "60 per 1 minute"


@given(rates, gaps, st.integers(0, 10**6))
def test_no_clock_window_ever_holds_more_than_the_limit(
    rate: Rate, steps: list[float], begin: int
) -> None:
    """So that any period at all holds less than twice as many, and a day its rate."""
    allowed = allowed_at(SlidingWindows(rate), times_of(steps, begin))

    for window in {now // PERIOD_S for now in allowed}:
        assert sum(now // PERIOD_S == window for now in allowed) <= rate.limit


@given(rates, gaps, st.integers(0, 10**6))
def test_who_asks_within_the_rate_is_never_refused(
    rate: Rate, steps: list[float], begin: int
) -> None:
    """No more than the limit in any two periods: then every request is allowed."""
    times: list[float] = []
    for now in times_of(steps, begin):
        if sum(then > now - 2 * PERIOD_S for then in times) < rate.limit:
            times.append(now)

    assert allowed_at(SlidingWindows(rate), times) == times


@given(rates, gaps, st.integers(0, 10**6))
def test_who_waits_as_told_is_allowed(rate: Rate, steps: list[float], begin: int) -> None:
    """A refusal tells a wait after which the next request is allowed, and no longer one than needed."""
    windows = SlidingWindows(rate)
    for now in times_of(steps, begin):
        verdict = windows.look("a", now)
        assert verdict.allowed == windows.take("a", now).allowed
        if not verdict.allowed:
            assert 0 < verdict.wait_s <= 2 * PERIOD_S
            assert windows.take("a", now + verdict.wait_s + 1e-6).allowed
            return


@given(rates, st.integers(0, 10**6))
def test_what_remains_is_what_is_allowed(rate: Rate, begin: int) -> None:
    """Each request takes one of it; the last leaves nothing, and the next is refused."""
    windows = SlidingWindows(rate)
    told = [windows.take("a", begin) for _ in range(rate.limit + 1)]

    assert [verdict.remaining for verdict in told] == [*reversed(range(rate.limit)), 0]
    assert [verdict.allowed for verdict in told] == [True] * rate.limit + [False]


def test_one_does_not_count_for_another() -> None:
    """Keys are counted apart."""
    windows = SlidingWindows(Rate(1, PERIOD_S))

    assert windows.take("a", 0).allowed
    assert windows.take("b", 0).allowed
    assert not windows.take("a", 1).allowed


def test_a_clock_that_is_set_back_lets_nobody_begin_anew() -> None:
    """What was counted stays counted."""
    windows = SlidingWindows(Rate(1, PERIOD_S))

    assert windows.take("a", 6000).allowed
    assert not windows.take("a", 10).allowed


def test_a_crowd_takes_bounded_memory() -> None:
    """However many ask, so many counts are kept, the newest of them."""
    windows = SlidingWindows(Rate(1, PERIOD_S), most=100)
    for number in range(5000):
        windows.take(f"address {number}", 6000 + number / 100)
    last = 6000 + 4999 / 100

    assert len(windows) <= 200
    assert len(windows.outstanding(10_000)) <= 400
    assert not windows.take("address 4999", last).allowed


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 80)), max_size=120))
def test_processes_that_tell_each_other_hold_the_limit_together(
    moves: list[tuple[int, int]],
) -> None:
    """What one lets through before it has heard of the other's is all that is too much."""
    rate = Rate(10, PERIOD_S)
    both = [SlidingWindows(rate), SlidingWindows(rate)]
    shared: dict[tuple[int, str], int] = {}
    now = 6000.0
    for process, eighths in moves:
        now = min(now + eighths / 8, 6059.0)
        both[process].take("a", now)
        for one in both:
            for due in one.outstanding():
                where = (due.window, due.key)
                shared[where] = shared.get(where, 0) + due.tally.own - due.tally.told
                due.tally.learn(due.tally.own, shared[where])

    assert sum(shared.values()) <= rate.limit + 1
