"""What is counted, by the names dashboards know."""

from __future__ import annotations

import threading

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from plantid_core.errors import DeadlineExceeded, ProviderRejected, ProviderUnavailable
from plantid_core.telemetry import Trace, metrics, totals
from plantid_core.telemetry.outages import OUTAGES


def sample(name: str, /, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def calls(outcome: str) -> float:
    return sample("plantid_provider_calls_total", provider="example", outcome=outcome)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ProviderUnavailable("example", "http_503", "It failed."), "http_5xx"),
        (ProviderUnavailable("example", "timeout", "Too late."), "timeout"),
        (ProviderRejected("example", "bad_key", "No."), "rejected"),
        (DeadlineExceeded(1.0), "deadline"),
        (ZeroDivisionError(), "error"),
    ],
)
def test_a_call_that_fails_is_counted_and_told(error: Exception, outcome: str) -> None:
    """By one of few words, with the request's id; the error passes on."""
    trace, before = Trace(), calls(outcome)

    with capture_logs() as told, pytest.raises(type(error)), metrics.called("example", trace):
        raise error

    assert calls(outcome) == before + 1
    [line] = told
    assert line["status"] == outcome
    assert line["request_id"] == trace.request_id


def test_a_call_that_answers_is_timed() -> None:
    """Its time is one observation of the provider's histogram."""
    name = "plantid_provider_call_duration_seconds_count"
    before = sample(name, provider="example")

    with metrics.called("example", Trace()) as call:
        call.status = "ok"

    assert sample(name, provider="example") == before + 1
    assert calls("ok") >= 1


def test_a_breaker_that_is_not_closed_is_degraded_time() -> None:
    """From the first change until it is closed again."""
    watcher = Outage()

    metrics.moved("example", "open", watcher)
    metrics.moved("example", "half-open", watcher)
    metrics.moved("example", "closed", watcher)

    assert OUTAGES.seconds()["example"] > 0
    assert sample("plantid_breaker_transitions_total", name="example", to="half-open") == 1


class Outage:
    """Whoever watches the part."""


def test_totals_are_the_sums_of_what_was_counted() -> None:
    """An unanswered one is no answer."""
    before = totals()

    metrics.identified("fresh", ())
    metrics.identified("none", ())
    metrics.throttled("anonymous")
    after = totals()

    assert (after.answered, after.unanswered) == (before.answered + 1, before.unanswered + 1)
    assert after.throttled == before.throttled + 1


def test_no_count_is_lost_between_threads() -> None:
    """Eight threads, two hundred counts each, from the first one of a label on."""
    together = threading.Barrier(8)

    def count() -> None:
        together.wait()
        for _ in range(200):
            metrics.answered("/example", "GET", 299, 0.001)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sample("plantid_http_requests_total", route="/example", method="GET", status="299") == (
        1600
    )
