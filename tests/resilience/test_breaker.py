"""The circuit breaker of one service, in one process."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest
from breaker_callers import Down, fail, through
from pybreaker import CircuitBreakerError

from plantid_core.resilience.breaker import Breaker, BreakerOpen
from plantid_core.resilience.outcome import Judgement

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


def make(clock: Clock, **settings: object) -> Breaker:
    usual = {"fail_max": 5, "reset_timeout": 60.0, "clock": clock, "draw": lambda: 0.0}
    return Breaker("plant_id", **{**usual, **settings})  # type: ignore[arg-type]


def test_it_opens_after_failures_in_a_row_and_lets_one_probe_through(clock: Clock) -> None:
    """Five failures open it, not one; after its time one call probes, and its success closes it."""
    breaker = make(clock)

    fail(breaker, 4)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert breaker.state == "open"
    assert not through(breaker)

    clock.now += 61
    assert breaker.state == "half-open"
    assert breaker.call(lambda: 1) == 1
    assert breaker.state == "closed"


def test_a_failed_probe_opens_it_for_longer(clock: Clock) -> None:
    """One probe that fails is enough, and its caller gets its own error."""
    breaker = make(clock)
    fail(breaker, 5)

    clock.now += 61
    fail(breaker, 1)

    assert breaker.state == "open"
    clock.now += 61
    assert breaker.state == "open"
    clock.now += 60
    assert breaker.state == "half-open"


def test_a_success_forgets_failures_and_other_errors_do_not_count(clock: Clock) -> None:
    """Only failures in a row count, and only those that speak against the service."""
    breaker = make(clock, fail_max=2, classify=lambda e, _: Judgement(fails=isinstance(e, Down)))

    for work in (_down, lambda: None, _down, lambda: {}["missing"]):
        with contextlib.suppress(Down, KeyError):
            breaker.call(work)

    assert breaker.state == "closed"


def test_an_ignored_error_is_no_success_either(clock: Clock) -> None:
    """Failures with an ignored error between them are failures in a row (seed: it resets them)."""
    breaker = make(clock, fail_max=2, classify=lambda e, _: Judgement(fails=isinstance(e, Down)))

    for work in (_down, lambda: {}["missing"], _down):
        with contextlib.suppress(Down, KeyError):
            breaker.call(work)

    assert breaker.state == "open"


def test_who_trips_it_gets_its_own_error(clock: Clock) -> None:
    """The error of the service, not that of the breaker (pybreaker raises its own)."""
    breaker = make(clock, fail_max=1)

    with pytest.raises(Down):
        breaker.call(_down)
    with pytest.raises(BreakerOpen) as refused:
        breaker.call(_down)

    assert isinstance(refused.value, CircuitBreakerError)
    assert (refused.value.name, refused.value.retry_after_s) == ("plant_id", 60.0)
    assert "plant_id" in str(refused.value)


def test_a_call_counts_once(clock: Clock) -> None:
    """A failed call is one failure, in a window of calls one call."""
    breaker = make(clock, failure_rate=0.9)

    fail(breaker, 1)
    through(breaker)

    assert breaker.report()["failure_rate"] == 0.5


def test_calls_do_not_queue_behind_each_other() -> None:
    """Ten calls run at once: they all meet at a barrier inside the breaker."""
    breaker, meeting = Breaker("plant_id"), threading.Barrier(10)

    results = _in_threads(10, lambda: breaker.call(meeting.wait, 20))

    assert not meeting.broken
    assert sorted(results) == list(range(10))  # type: ignore[type-var]


def test_no_lock_is_held_during_a_call() -> None:
    """Amid a call another thread may ask, force, open and close it."""
    breaker = Breaker("plant_id")

    def work() -> list[object]:
        return _in_threads(
            1,
            lambda: (breaker.open(), breaker.state, breaker.close(), breaker.report()["state"]),
        )

    assert breaker.call(work) == [(None, "open", None, "closed")]


@pytest.mark.parametrize("probes", [1, 3])
def test_exactly_so_many_probes_are_let_through(clock: Clock, probes: int) -> None:
    """Of thirty threads at once, ``permitted_probes`` come through, and the rest is refused."""
    breaker = make(clock, permitted_probes=probes)
    fail(breaker, 5)
    clock.now += 61
    meeting, done, inside = threading.Barrier(30), threading.Event(), []

    def work() -> str:
        inside.append(1)
        assert done.wait(20)
        return "probed"

    def call() -> str:
        meeting.wait(10)
        try:
            return breaker.call(work)
        except BreakerOpen:
            refused.append(1)
            if len(refused) == 30 - probes:
                done.set()
            return "refused"

    refused: list[int] = []
    results = _in_threads(30, call)

    assert len(inside) == probes
    assert sorted(results) == ["probed"] * probes + ["refused"] * (30 - probes)  # type: ignore[type-var]
    assert breaker.state == "closed"


def test_a_probe_that_told_nothing_gives_its_permit_back(clock: Clock) -> None:
    """After an interrupt amid a probe the next call probes."""
    breaker = make(clock)
    fail(breaker, 5)
    clock.now += 61

    with pytest.raises(KeyboardInterrupt):
        breaker.call(_interrupt)

    assert breaker.state == "half-open"
    assert through(breaker)
    assert breaker.state == "closed"


def test_a_late_failure_of_the_time_before_counts_for_nothing(clock: Clock) -> None:
    """A call that began before the opening and fails after the recovery opens nothing."""
    breaker = make(clock, fail_max=1)

    def slow() -> None:
        fail(breaker, 1)
        clock.now += 61
        assert through(breaker)
        raise Down

    with pytest.raises(Down):
        breaker.call(slow)

    assert breaker.state == "closed"


def test_check_takes_no_permit(clock: Clock) -> None:
    """It raises while calls would surely be refused, and leaves the probe to a call."""
    breaker = make(clock)
    breaker.check()
    fail(breaker, 5)
    with pytest.raises(BreakerOpen):
        breaker.check()

    clock.now += 61
    breaker.check()
    breaker.check()

    assert through(breaker)


def test_a_short_time_lasts_as_long_as_it_says(clock: Clock) -> None:
    """Half a second is half a second (seed: whole seconds)."""
    breaker = make(clock, reset_timeout=0.5)
    fail(breaker, 5)

    clock.now += 0.499
    early = through(breaker)
    clock.now += 0.002

    assert not early
    assert through(breaker)


def test_a_classifier_that_raises_hides_no_error(clock: Clock) -> None:
    """The caller gets the service's error, which counts as a failure."""

    def classify(error: BaseException, took_s: float) -> Judgement:
        raise ZeroDivisionError(took_s) from error

    breaker = make(clock, fail_max=1, classify=classify)

    with pytest.raises(Down):
        breaker.call(_down)
    assert breaker.state == "open"


def test_its_report_tells_how_it_stands(clock: Clock) -> None:
    """Every field is a real one (seed: always None)."""
    breaker = make(clock, failure_rate=0.9)
    fresh = breaker.report()
    fail(breaker, 5)
    found = breaker.report()

    assert (fresh["state"], fresh["failures"], fresh["opened_at"]) == ("closed", 0, None)
    assert (found["state"], found["name"], found["forced"]) == ("open", "plant_id", None)
    assert (found["failures"], found["failure_rate"]) == (5, 1.0)
    moments = (found["last_failure_at"], found["opened_at"], found["opens_until"])
    assert all(str(moment).endswith("Z") for moment in moments)


def test_settings_that_cannot_be_are_refused() -> None:
    """By a sentence for each fault; an unknown setting is a TypeError."""
    with pytest.raises(ValueError, match=r"reset_timeout.*growth.*mode"):
        Breaker("x", reset_timeout=0, growth=0.5, mode="asleep")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="exclude"):
        Breaker("x", exclude=[ValueError])  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="asleep"):
        Breaker("x").force("asleep")  # type: ignore[arg-type]


def _down() -> None:
    raise Down


def _interrupt() -> None:
    raise KeyboardInterrupt


def _in_threads(count: int, call: Callable[[], object]) -> list[object]:
    results: list[object] = []
    threads = [threading.Thread(target=lambda: results.append(call())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results
