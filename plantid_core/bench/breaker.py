"""A circuit breaker: what it adds to a call, beside what others add; and one in many processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.bench import breaker_cost, breaker_crowd
from plantid_core.bench.breaker_crowd import (
    CASES,
    CPU,
    EPOCHS,
    KNOWN,
    LET_THROUGH,
    REOPENED,
    STRIKES,
)
from plantid_core.bench.breaker_rivals import OURS, OVER_REDIS
from plantid_core.bench.report import Ratio, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OVERHEAD = {"closed": (0.6, 200), "open": (1.2, 100)}
_KNOWN_MS = {"calm": 20, "busy": 100}


def run(
    tell: Callable[[str], None],
    *,
    cost: breaker_cost.Sizes | None = None,
    crowd: breaker_crowd.Sizes | None = None,
) -> Report:
    """Return times, calls and commands; takes about a minute."""
    rows = [
        *breaker_cost.rows(tell, cost or breaker_cost.Sizes()),
        *breaker_crowd.rows(tell, crowd or breaker_crowd.Sizes()),
    ]
    found = Report("breaker", tuple(rows), ())
    return Report("breaker", found.rows, (*_of_cost(found), *_of_crowd(found)))


def _of_cost(found: Report) -> Iterator[Ratio]:
    for state, (bar_us, times) in _OVERHEAD.items():
        ours = found.median(state, OURS, "overhead")
        yield Ratio(f"{state}: overhead a call", ours, "us", bar_us)
        others = found.median(state, OVER_REDIS, "overhead")
        name = f"{state}: breaker / {OVER_REDIS} ({times} times as fast)"
        yield Ratio(name, ours / others, "x", 1 / times)
    for row in found.rows:
        if row.case == "listeners" and row.contestant.startswith("a listener"):
            yield Ratio(f"overhead of {row.contestant}", row.median, "us", 0.15)
        if row.unit == "commands" and row.contestant == OURS:
            yield Ratio(f"{row.case}: {row.metric}", row.max, "commands", 0)
    one, four = (
        found.median("threads", f"{threads} threads", "call") for threads in breaker_cost.THREADS
    )
    yield Ratio("a call with 4 threads / with 1", four / one, "x", 1.5)
    at_once = found.median("ten at once", OURS, "all ended")
    yield Ratio("ten calls of 0.2 s at once", at_once, "s", 0.25)


def _of_crowd(found: Report) -> Iterator[Ratio]:
    rows = {(row.case, row.metric): row for row in found.rows}
    for case in CASES:
        known = rows[case, f"{KNOWN}, p99"].max
        yield Ratio(f"{case}: {KNOWN}, p99", known, "ms", _KNOWN_MS[case])
    yield Ratio("calm: CPU use meanwhile", rows["calm", CPU].max, "%", 50)
    yield Ratio(f"calm: {REOPENED}, worst", rows["calm", REOPENED].max, "ms", 10)
    let = rows["half-open storm", LET_THROUGH]
    yield Ratio("half-open: calls let through beyond one, worst", let.max - 1, "calls", 0)
    yield Ratio("half-open: calls missing to one, worst", 1 - let.min, "calls", 0)
    for metric in (EPOCHS, STRIKES):
        row = rows["trips at once", metric]
        off = max(abs(row.max - 1), abs(row.min - 1))
        yield Ratio(f"eight trips at once: {metric} beside the one", off, metric, 0)
