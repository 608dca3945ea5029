"""Retries: where they are allowed, how many, and how long they wait."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from plantid_core.deadline import Deadline
from plantid_core.errors import ProviderUnavailable
from plantid_core.resilience.retry import Retrier, RetryBudget


class Service:
    """Fails with an error of its own each time, until ``failures`` are used up."""

    def __init__(
        self, failures: int, *, uncounted: bool = True, after: float | None = None
    ) -> None:
        self.failures, self.uncounted, self.after = failures, uncounted, after
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise ProviderUnavailable(
                "plantnet",
                f"http_{self.calls}",
                "failed",
                uncounted=self.uncounted,
                retry_after_s=self.after,
            )
        return "leaf"


def retrier(attempts: int = 2, ratio: float = 1.0, base_s: float = 0.01) -> Retrier:
    rng = np.random.default_rng(1)
    return Retrier(RetryBudget(ratio), attempts=attempts, base_s=base_s, cap_s=0.05, rng=rng)


def test_an_uncounted_call_is_made_again() -> None:
    """A call that nobody can have charged is worth a second one."""
    service = Service(1)

    assert retrier().call(service, Deadline.after(5)) == "leaf"
    assert service.calls == 2


@pytest.mark.parametrize(
    "service", [Service(9, uncounted=False), Service(9, after=3.0)], ids=["counted", "told to wait"]
)
def test_other_failures_are_not(service: Service) -> None:
    """What may be charged, or named its own time, is left alone."""
    with pytest.raises(ProviderUnavailable, match="failed"):
        retrier().call(service, Deadline.after(5))

    assert service.calls == 1


def test_the_last_calls_own_error_is_raised() -> None:
    """Nothing wraps it, and there are no more attempts than allowed."""
    service, calls = Service(9), retrier(attempts=3)
    calls.budget.deposit()

    with pytest.raises(ProviderUnavailable) as caught:
        calls.call(service, Deadline.after(5))

    assert caught.value.code == "http_3"
    assert service.calls == 3
    assert calls.budget.retries == 2


def test_one_attempt_is_none_again() -> None:
    """A retrier can be turned off, and then asks for no budget."""
    service, calls = Service(9), retrier(attempts=1)

    with pytest.raises(ProviderUnavailable):
        calls.call(service, Deadline.after(5))

    assert (service.calls, calls.budget.retries, calls.budget.refused) == (1, 0, 0)


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    """The first error is told while there is time for it to be used."""
    service = Service(9)
    slow = Retrier(RetryBudget(1), base_s=1e6, cap_s=1e6, rng=np.random.default_rng(1))
    began = time.monotonic()

    with pytest.raises(ProviderUnavailable):
        slow.call(service, Deadline.after(1))

    assert service.calls == 1
    assert time.monotonic() - began < 0.9
    assert slow.budget.retries == 0


def test_retries_stay_below_a_tenth_of_the_calls() -> None:
    """With everything failing on many threads, never more than a tenth of the calls is repeated."""
    service, calls = Service(10_000), retrier(ratio=0.1, base_s=0)

    def call(_: int) -> int:
        with pytest.raises(ProviderUnavailable):
            calls.call(service, Deadline.after(20))
        return service.calls

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, range(1000)))

    assert calls.budget.retries == 100
    assert calls.budget.refused == 900


def test_a_quiet_time_saves_up_no_storm() -> None:
    """However many calls went well, no more than the most are paid for."""
    budget = RetryBudget(0.1, most=10)
    for _ in range(1000):
        budget.deposit()

    assert sum(budget.withdraw() for _ in range(50)) == 10


def test_waits_are_spread_over_their_whole_length() -> None:
    """Full jitter: from nothing to the exponential, capped."""
    calls = retrier(base_s=0.01)

    first = [calls._draw(1) for _ in range(1000)]  # noqa: SLF001 - to wait for it would take minutes
    late = [calls._draw(9) for _ in range(1000)]  # noqa: SLF001

    assert 0 <= min(first) < 0.001
    assert 0.009 < max(first) <= 0.01
    assert 0.045 < max(late) <= 0.05


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The library's own log of retries is off."""
    retrier().call(Service(1), Deadline.after(5))

    assert capsys.readouterr() == ("", "")
