"""Early recomputation under traffic: how often each expiry is computed, and who has to wait.

Live, against XFetch as published; and simulated for many more expiries, where the laboratory can.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.bench.callers import all_call, callers, together
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.servers import Server
from plantid_core.resilience.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.bench.callers import Caller, Place

EXPIRIES = 20
SIMULATED = 1000
PROCESSES = 2
THREADS = 20
CONTESTANTS = ("lease", "xfetch")
_GATHER_S = 0.5


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests a second over all processes, for values that take ``delta_s`` seconds to make.

    At birth of a value almost nobody may draw its recomputation: `ttl_s` is well above
    Δ·ln(λΔ), else XFetch is judged by its worst case.
    """

    rate: float = 400.0
    delta_s: float = 0.5
    ttl_s: float = 5.0

    def duration_s(self, expiries: int) -> float:
        """Return the seconds in which so many expiries are expected; each comes early."""
        lead_s = self.delta_s * max(0.0, math.log(self.rate * self.delta_s))
        return expiries * (self.ttl_s - lead_s + self.delta_s) + 2 * self.delta_s


@dataclass(frozen=True, slots=True)
class Order:
    """What one process does: its share of the traffic, from ``at`` until ``until`` (monotonic)."""

    contestant: str
    delta_s: float
    pause_s: float
    threads: int
    at: float
    until: float


def run(
    tell: Callable[[str], None],
    *,
    expiries: int = EXPIRIES,
    traffic: Traffic | None = None,
    threads: int = THREADS,
    contestants: tuple[str, ...] = CONTESTANTS,
) -> Report:
    """Return recomputations an expiry and requests that waited; takes about two minutes."""
    traffic = traffic or Traffic()
    policy = Policy(soft_ttl_s=traffic.ttl_s, hard_ttl_s=traffic.ttl_s)
    rows: list[Row] = []
    for name in contestants:
        tell(f"{name}: {traffic.duration_s(expiries):.0f} s of traffic")
        with Server() as server, callers(server.url, PROCESSES, policy) as crowd:
            rows += _live(crowd, name, traffic, threads, expiries)
    rows += _simulated(tell)
    found = Report("early", tuple(rows), ())
    return Report("early", found.rows, tuple(_ratios(found)))


def _live(
    crowd: list[Caller], name: str, traffic: Traffic, threads: int, expiries: int
) -> Iterator[Row]:
    for caller in crowd:
        caller.call(_warm, name, traffic.delta_s)
    at = time.monotonic() + _GATHER_S
    until = at + traffic.duration_s(expiries)
    pause_s = threads * len(crowd) / traffic.rate
    order = Order(name, traffic.delta_s, pause_s, threads, at, until)
    seen = all_call(crowd, _share, order)
    counts = expiries_of(sorted(start for one in seen for start in one[0]), traffic.delta_s, until)
    requests = sum(one[2] for one in seen)
    yield Row.of("live", name, "recomputations an expiry", "calls", [sum(counts) / len(counts)])
    yield Row.of("live", name, "recomputations of an expiry", "calls", counts)
    yield Row.of("live", name, "waited", "requests", [sum(one[1] for one in seen)])
    yield Row.of("live", name, "requests", "requests", [requests])
    yield Row.of("live", name, "load, rate x delta", "requests",
                 [requests / (until - at) * traffic.delta_s])  # fmt: skip


def expiries_of(starts: list[float], delta_s: float, until: float) -> list[int]:
    """Return how many computations each expiry had, of their times of beginning in order.

    Who begins while the first one is under way does the same work again; who begins later has seen
    its value. One that is not over ``until`` then is not counted.
    """
    counts: list[int] = []
    first = -math.inf
    for start in starts:
        if start >= first + delta_s:
            first = start
            if first + delta_s > until:
                break
            counts.append(0)
        counts[-1] += 1
    if not counts:
        raise RuntimeError("no value expired")
    return counts


def _warm(place: Place, name: str, delta_s: float) -> None:
    def compute() -> object:
        time.sleep(delta_s)
        return 1

    place.contestant(name).get("leaf", compute)


def _share(place: Place, order: Order) -> tuple[list[float], int, int]:
    """Return when computations began here, how many requests waited, and how many there were."""
    contestant, lock = place.contestant(order.contestant), threading.Lock()
    starts, times = list[float](), list[float]()

    def compute() -> object:
        starts.append(time.monotonic())
        time.sleep(order.delta_s)
        return 1

    turn = iter(range(order.threads))

    def ask() -> None:
        with lock:
            due = order.at + next(turn) * order.pause_s / order.threads
        for begin in _paced(due, order.pause_s, order.until):
            contestant.get("leaf", compute)
            times.append(time.monotonic() - begin)

    for thread in together(ask, order.threads, order.at):
        thread.join()
    return starts, sum(took > order.delta_s / 2 for took in times), len(times)


def _paced(due: float, pause_s: float, until: float) -> Iterator[float]:
    """Give the time of each request; those missed while one took long are not made up for."""
    while due < until:
        time.sleep(max(0.0, due - time.monotonic()))
        begin = time.monotonic()
        yield begin
        missed = max(0, math.floor((time.monotonic() - due) / pause_s))
        due += pause_s * (1 + missed)


def _simulated(tell: Callable[[str], None]) -> list[Row]:
    from plantid_core.lab.early_refresh import simulate

    tell(f"simulation of {SIMULATED} expiries")
    found = simulate(expiries=SIMULATED)
    figures = (
        ("lease", "recomputations an expiry", "calls", "lease_recomputes"),
        ("lease", "waited", "requests", "lease_waited"),
        ("xfetch", "recomputations an expiry", "calls", "xfetch_recomputes"),
    )
    return [
        Row.of("simulated", name, metric, unit, [found[figure]])
        for name, metric, unit, figure in figures
    ]


def _ratios(found: Report) -> Iterator[Ratio]:
    for row in found.rows:
        if row.contestant != "lease":
            continue
        if row.metric == "recomputations an expiry":
            yield Ratio(f"{row.case}: recomputations an expiry", row.median, "calls", 1.0)
        if row.metric == "waited":
            yield Ratio(f"{row.case}: requests that waited", row.median, "requests", 0)
