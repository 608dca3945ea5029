"""The window of outcomes against a naive recount."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plantid_core.resilience.window import Rules, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["good", "slow", "bad", "slow and bad"]
SLOW_S = 1.0


def put(window: Window, kind: Kind, now: float) -> str | None:
    """Count an outcome as the breaker does."""
    took = SLOW_S if "slow" in kind else 0.0
    if "bad" in kind:
        return window.failed(took, now)
    if took < window.slow_from and now < window.roll_at:
        window.tick()
        return None
    return window.succeeded(took, now)


class Recount:
    """Every outcome with its time, counted anew at each question."""

    def __init__(self) -> None:
        self.all: list[tuple[Kind, float]] = []

    def last(self, count: int) -> Sequence[Kind]:
        return [kind for kind, _ in self.all[-count:]]

    def since(self, moment: float) -> Sequence[Kind]:
        return [kind for kind, at in self.all if at > moment]

    def in_a_row(self) -> int:
        run = 0
        for kind, _ in reversed(self.all):
            if "bad" not in kind:
                break
            run += 1
        return run


def rates(kinds: Sequence[Kind]) -> tuple[int, int, int]:
    return len(kinds), sum("bad" in k for k in kinds), sum("slow" in k for k in kinds)


kinds = st.sampled_from(["good", "good", "slow", "bad", "slow and bad"])
streams = st.lists(st.tuples(kinds, st.floats(0, 5)), max_size=80)


@given(streams, st.integers(1, 30))
def test_the_last_calls_are_counted_as_they_were(
    stream: list[tuple[Kind, float]], size: int
) -> None:
    """Over N calls, calls, failures and slow ones are those of the last N, exactly."""
    rules = Rules(0, failure_rate=1.0, slow_rate=1.0, slow_call_s=SLOW_S, window_calls=size)
    window, recount, now = Window(rules, 0.0), Recount(), 0.0

    for kind, pause in stream:
        now += pause
        put(window, kind, now)
        recount.all.append((kind, now))

        found = window.figures(now)
        assert (found.calls, found.failures, found.slow) == rates(recount.last(size))
        assert found.in_a_row == recount.in_a_row()


@given(streams, st.floats(1, 20))
def test_the_last_seconds_are_counted_to_a_tenth(
    stream: list[tuple[Kind, float]], span: float
) -> None:
    """Over T seconds, the counts lie between those of T and of T and the tenth the cut goes through."""
    rules = Rules(0, failure_rate=1.0, slow_rate=1.0, slow_call_s=SLOW_S, window_s=span)
    window, recount, now = Window(rules, 0.0), Recount(), 0.0

    for kind, pause in stream:
        now += pause
        put(window, kind, now)
        recount.all.append((kind, now))

        found = window.figures(now)
        least = rates(recount.since(now - span))
        most = rates(recount.since(now - span * 1.1 - 1e-6))
        counted = (found.calls, found.failures, found.slow)
        assert all(a <= b <= c for a, b, c in zip(least, counted, most, strict=True))


@given(
    streams,
    st.integers(1, 20),
    st.integers(1, 15),
    st.sampled_from([0.2, 0.5, 1.0]),
    st.sampled_from([0.2, 0.5, 1.0]),
)
def test_it_says_why_exactly_when_a_share_is_reached(
    stream: list[tuple[Kind, float]], size: int, least: int, failing: float, slow: float
) -> None:
    """A trouble opens it where, with enough calls, failures or slow calls make up the share."""
    rules = Rules(
        0,
        failure_rate=failing,
        slow_rate=slow,
        slow_call_s=SLOW_S,
        window_calls=size,
        minimum_calls=least,
    )
    window, recount = Window(rules, 0.0), Recount()

    for number, (kind, _) in enumerate(stream):
        why = put(window, kind, float(number))
        recount.all.append((kind, float(number)))

        calls, failures, slows = rates(recount.last(size))
        due = calls >= least and (failures >= failing * calls or slows >= slow * calls)
        assert bool(why) == (due and kind != "good")


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 6))
def test_failures_in_a_row_are_counted(outcomes: list[bool], most: int) -> None:
    """It says so at the failure that makes them ``fail_max``, and at each one after."""
    window, run = Window(Rules(most), 0.0), 0

    for good in outcomes:
        why = put(window, "good" if good else "bad", 0.0)
        run = 0 if good else run + 1
        assert bool(why) == (run >= most)


def test_successes_in_a_row_are_counted() -> None:
    """From the last failure on, or from the beginning."""
    window = Window(Rules(5), 0.0)
    counts = []

    for kind in ("good", "good", "bad", "good", "bad", "bad", "good", "good", "good"):
        put(window, kind, 0.0)  # type: ignore[arg-type]  # a literal in a tuple is a str
        counts.append(window.successes_in_a_row())

    assert counts == [1, 2, 0, 1, 0, 0, 1, 2, 3]


def size_of(window: Window) -> int:
    """Return how many numbers it keeps."""
    kept = (getattr(window, name) for name in Window.__slots__)
    return sum(len(value) for value in kept if hasattr(value, "__len__"))


def test_a_window_of_calls_is_bounded() -> None:
    """A hundred thousand failures leave no more than the window's own."""
    window = Window(Rules(0, failure_rate=1.0, window_calls=50, minimum_calls=100), 0.0)

    for number in range(100_000):
        put(window, "bad", number / 1000)

    assert size_of(window) < 250


def test_a_window_of_time_is_bounded() -> None:
    """So it is where only the time is bounded: failures are kept as figures of its tenths."""
    window = Window(Rules(0, failure_rate=1.0, window_s=10, minimum_calls=10**9), 0.0)

    for number in range(100_000):
        put(window, "bad", number / 1000)

    assert size_of(window) < 250


def test_a_share_is_not_missed_by_a_rounding() -> None:
    """55 of 100 calls are 55 %."""
    window = Window(Rules(0, failure_rate=0.55, minimum_calls=100), 0.0)

    whys = [put(window, "good", 0.0) for _ in range(45)] + [
        put(window, "bad", 0.0) for _ in range(55)
    ]

    assert whys[-1] is not None


def test_threads_lose_no_success() -> None:
    """Eight threads count at once, and every call is counted."""
    window = Window(Rules(5, failure_rate=1.0), 0.0)
    meeting = threading.Barrier(8)

    def count() -> None:
        meeting.wait(10)
        for _ in range(5000):
            window.tick()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert window.calls() == 40_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"fail_max": -1},
        {"fail_max": 0},
        {"failure_rate": 0.0},
        {"failure_rate": 1.1},
        {"slow_rate": 0.5},
        {"slow_rate": -1.0, "slow_call_s": 1.0},
        {"slow_call_s": 0.0},
        {"window_calls": 0},
        {"window_s": -1.0},
        {"minimum_calls": 0},
        {"failure_rate": float("nan")},
        {"window_s": float("nan")},
    ],
)
def test_rules_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    """A rule that no call could meet, or every call would, raises ValueError at once."""
    with pytest.raises(ValueError, match=r"must|needs"):
        Rules(**wrong)  # type: ignore[arg-type]
