"""The circuit breaker of one service."""

from __future__ import annotations

import contextlib
import threading

import pytest
from pybreaker import CircuitBreakerError

from plantid_core.resilience.breaker import Breaker
from plantid_core.resilience.outcome import Judgement


def fail() -> None:
    raise OSError("down")


def test_it_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    """Five failures open it; after its time one call probes, and its success closes it."""
    now = [0.0]
    breaker = Breaker("plant_id", fail_max=5, reset_timeout=60, clock=lambda: now[0])

    for _ in range(5):
        with pytest.raises(OSError, match="down"):
            breaker.call(fail)
    with pytest.raises(CircuitBreakerError):
        breaker.call(lambda: 1)
    assert breaker.state == "open"

    now[0] = 61.0
    assert breaker.state == "half-open"
    assert breaker.call(lambda: 1) == 1
    assert breaker.state == "closed"


def test_a_failed_probe_opens_it_again() -> None:
    """One probe that fails is enough."""
    now = [0.0]
    breaker = Breaker("plant_id", fail_max=1, reset_timeout=60, clock=lambda: now[0])
    with pytest.raises(OSError, match="down"):
        breaker.call(fail)

    now[0] = 61.0
    with pytest.raises(OSError, match="down"):
        breaker.call(fail)

    assert breaker.state == "open"


def test_a_success_forgets_failures_and_other_errors_do_not_count() -> None:
    """Only failures in a row count, and only those that speak against the service."""
    breaker = Breaker(
        "plant_id", fail_max=2, classify=lambda e, _: Judgement(fails=isinstance(e, OSError))
    )

    for work in (fail, lambda: None, fail, lambda: {}["missing"]):
        with contextlib.suppress(OSError, KeyError):
            breaker.call(work)

    assert breaker.state == "closed"


def test_calls_do_not_queue_behind_each_other() -> None:
    """Ten calls run at once: they all meet at a barrier inside the breaker."""
    breaker, meeting = Breaker("plant_id"), threading.Barrier(10)
    threads = [threading.Thread(target=breaker.call, args=(meeting.wait, 20)) for _ in range(10)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not meeting.broken
