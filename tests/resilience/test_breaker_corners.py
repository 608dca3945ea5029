"""Corners of the breaker of one process, and of its part in the fleet."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING

import pytest
from breaker_callers import Down, Party, epoch, fail, through
from processes import until

from plantid_core.resilience.breaker import Breaker, BreakerOpen
from plantid_core.resilience.breaker_permit import Ramp
from plantid_core.resilience.outcome import Judgement
from plantid_core.resilience.window import Rules, Window

if TYPE_CHECKING:
    from servers import Server


def test_a_call_from_before_open_counts_for_nothing_on_the_ramp() -> None:
    """A call that began before open(), and fails on the way back, opens nothing again."""
    now = [0.0]
    breaker = Breaker("svc", fail_max=1, ramp=(0.5,), ramp_s=10, clock=lambda: now[0])

    def work() -> None:
        breaker.open()
        now[0] += 61
        assert through(breaker)
        assert breaker.state == "half-open"  # on the ramp
        raise Down

    with pytest.raises(Down):
        breaker.call(work)

    assert breaker.state == "half-open"


def test_a_call_of_an_earlier_ramp_lengthens_no_later_opening() -> None:
    """What it then hears of Retry-After was said before the breaker opened."""
    now = [0.0]
    breaker = Breaker(
        "svc", fail_max=1, ramp=(0.5,), ramp_s=10, clock=lambda: now[0], draw=lambda: 0.5, jitter=0.0,
        classify=lambda e, _: Judgement(fails=True, open_for_s=getattr(e, "named_s", None)),
    )  # fmt: skip
    fail(breaker, 1)
    now[0] = 61.0
    assert through(breaker)

    def on_the_ramp() -> None:
        now[0] = 75.0  # the ramp is over
        assert through(breaker)
        fail(breaker, 1)
        raise Down(500.0)

    with pytest.raises(Down):
        breaker.call(on_the_ramp)

    with pytest.raises(BreakerOpen) as refused:
        breaker.call(lambda: 1)
    assert refused.value.retry_after_s == 60.0


def test_a_late_call_of_an_earlier_ramp_forgets_nothing_of_this_one() -> None:
    """Whose turn it is, and how many have failed, is not begun anew by it."""
    ramp = Ramp(lambda: 0.75)
    admitted = [ramp.admits(2, 0.25) for _ in range(2)]

    ramp.count(1, failed=False)
    admitted.append(ramp.admits(2, 0.25))

    assert admitted == [True, False, False]


def test_who_calls_seldom_is_a_witness_too(server: Server) -> None:
    """Successes count as seen however the window counts them: at a tenth's end, or slow ones."""
    with Party(server) as party:
        bad = party.make()
        good = party.make(window_s=0.01, failure_rate=0.9, fail_max=2)
        for _ in range(5):
            assert good.call(lambda: threading.Event().wait(0.002)) is False
        fail(bad)
        assert until(lambda: epoch(good) == 1)

        assert through(good)


def test_nothing_is_used_that_python_314_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of itertools cannot be copied from 3.14 on, and warn from 3.12 on."""

    def refuse(thing: object) -> None:
        raise TypeError(f"cannot pickle {type(thing).__name__!r} object")

    window = Window(Rules(), 0.0)
    window.tick()
    monkeypatch.setattr(copy, "copy", refuse)

    assert window.calls() == 1
