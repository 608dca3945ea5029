"""The breaker's benchmark, small: its structure and what it counts. Speed is no test's business."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from plantid_core.bench import NAMES, breaker, breaker_cost, breaker_crowd, breaker_rivals
from plantid_core.bench.breaker_rivals import Makers, Service, open_by_failures
from plantid_core.bench.servers import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


def quiet(_: str) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def makers() -> Iterator[Makers]:
    with Server() as server, contextlib.closing(Makers(server.url)) as made:
        yield made


@pytest.mark.slow
def test_every_case_is_measured_and_what_is_counted_holds() -> None:
    """Its rows and ratios; no command, one probe, one opening, whatever the machine's speed."""
    report = breaker.run(
        quiet,
        cost=breaker_cost.Sizes(rounds=1, calls=200, nap_s=0.02),
        crowd=breaker_crowd.Sizes(openings=1, storms=1, processes=3),
    )

    assert "breaker" in NAMES
    contestants = {row.contestant for row in report.rows if row.case == "closed"}
    assert contestants == {"breaker", "breaker, rates", *breaker_rivals.OTHERS}
    assert {row.case for row in report.rows} == {
        "closed", "open", "listeners", "threads", "ten at once", "calm", "busy",
        "half-open storm", "trips at once",
    }  # fmt: skip
    counted = {ratio.name: ratio.value for ratio in report.ratios if ratio.bar == 0}
    assert len(counted) == 6
    assert set(counted.values()) == {0}
    # Two a call; now and then the client sends one of its own.
    commands = report.median("closed", breaker_rivals.OVER_REDIS, "commands, 500 calls")
    assert 1000 <= commands <= 1005
    known = [row for row in report.rows if row.metric == breaker_crowd.KNOWN]
    off = [row for row in report.rows if row.metric == breaker_crowd.REOPENED]
    assert [row.n for row in known] == [2, 2]
    assert [row.n for row in off] == [3, 3]


@pytest.mark.parametrize("name", ["breaker", "breaker, rates", *breaker_rivals.OTHERS])
def test_every_contestant_calls_until_failures_open_it(makers: Makers, name: str) -> None:
    """Then it refuses with its own error, and the function is not called."""
    service = Service()
    guard = makers.guard(name, service)
    guard.call(*guard.arguments)
    assert service.calls == 1

    open_by_failures(guard, service)

    before = service.calls
    with pytest.raises(guard.refusal):
        guard.call(*guard.arguments)
    assert service.calls == before


def test_breaker_that_does_not_open_is_not_measured_as_open(makers: Makers) -> None:
    """Else the figures of a closed one would stand for it."""
    service = Service()
    guard = makers.guard("breaker", service)
    open_never = breaker_rivals.Guard(lambda work: work(), (service,), guard.refusal)

    with pytest.raises(RuntimeError):
        open_by_failures(open_never, service)


def test_rivals_that_are_not_installed_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their absence is told, and the others run."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    told: list[str] = []

    found = list(breaker_rivals.present(breaker_rivals.OTHERS, told.append))

    assert found == [breaker_rivals.OVER_REDIS, breaker_rivals.IN_MEMORY]
    assert [line.split(" is ")[0] for line in told] == ["purgatory", "circuitbreaker"]


def test_percentile_is_a_value_that_was_seen() -> None:
    """One in a hundred may be above it."""
    assert breaker_crowd.p99([float(value) for value in range(1, 101)]) == 99
    assert breaker_crowd.p99([5.0]) == 5
