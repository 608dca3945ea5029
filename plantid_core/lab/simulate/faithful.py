"""The faithful engine: the very strategies of `plantid_core.resilience`, on a virtual clock.

Every request is a caller that runs `Strategy.get` as it is; only clocks, chances, waiting and the
server are modelled. So whatever a strategy does wrong, it does wrong here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import greenlet
import numpy as np
import redis
import redis_lock

from plantid_core.errors import PlantIDError
from plantid_core.lab.record import (
    CALLS,
    HOW,
    REQUESTS,
    Record,
    expiries_of,
    table,
    upstream_of,
)
from plantid_core.lab.simulate.clock import EPOCH_S, Clock
from plantid_core.lab.simulate.latency import Latency, Stopwatch
from plantid_core.lab.simulate.store import Store
from plantid_core.lab.simulate.virtual import VirtualGround
from plantid_core.lab.workload import Requests, arrivals
from plantid_core.resilience import strategy as strategy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from plantid_core.lab.workload import Floats, Workload
    from plantid_core.resilience import Strategy

MOST_REQUESTS = 2_000_000
# Far beyond any convoy that is worth looking at.
_TAIL_S = 3600.0
_NOTHING = -1.0
# The answers on the way of a value that was just made.
_SETTLED_S = 0.05


class TooManyRequests(PlantIDError):
    """More requests than the faithful engine should be asked for; the fast one takes them."""

    def __init__(self, value: int) -> None:
        super().__init__(
            f"the faithful engine takes at most {MOST_REQUESTS:,} requests; these are {value:,}."
            " Use the fast one, or a shorter run."
        )
        self.limit, self.value = MOST_REQUESTS, value

    def __reduce__(self) -> tuple[type[TooManyRequests], tuple[int]]:
        """Let it come back from a worker process."""
        return TooManyRequests, (self.value,)


class UpstreamFailure(Exception):
    """Making a value failed, as drawn."""


@dataclass(slots=True)
class _Seen:
    """The rows of the tables, column by column."""

    t_s: list[float] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    process: list[int] = field(default_factory=list)
    wait_s: list[float] = field(default_factory=list)
    how: list[int] = field(default_factory=list)
    age_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class _Calls:
    begin_s: list[float] = field(default_factory=list)
    end_s: list[float] = field(default_factory=list)
    key: list[int] = field(default_factory=list)
    process: list[int] = field(default_factory=list)
    early: list[bool] = field(default_factory=list)
    failed: list[bool] = field(default_factory=list)


class Fleet:
    """So many processes with a strategy each, over one modelled server."""

    def __init__(
        self, name: str, workload: Workload, seed: int, latency: Latency | None = None
    ) -> None:
        self.workload, self.clock = workload, Clock()
        self._latency = latency or Latency()
        self._rng, *chances = (
            np.random.default_rng(one)
            for one in np.random.SeedSequence([seed, 1]).spawn(workload.processes + 2)
        )
        self._near = Stopwatch(self._latency.near, self._rng)
        self.store = Store(self.clock, Stopwatch(self._latency.wake, chances[-1]))
        self._strategies: list[Strategy] = [
            strategy_of(
                name,
                redis.Redis(),
                ttl_s=workload.ttl_s,
                beta=workload.beta,
                soft_ttl_s=workload.soft_ttl_s,
                jitter=workload.jitter,
                lease_s=workload.lease_s,
                ground=VirtualGround(self.store, self._latency, rng),
            )
            for rng in chances[:-1]
        ]
        self._durations: list[float] = []
        self.seen, self.calls = _Seen(), _Calls()

    def ask(self, key: int, process: int) -> None:
        """Let one request come now; runs in a caller of its own."""
        began, me, own = self.clock.now, greenlet.getcurrent(), [False]

        def compute() -> float:
            own[0] = own[0] or greenlet.getcurrent() is me
            return self._make(key, process)

        value: object = None
        try:
            value = self._strategies[process].get(f"k{key}", compute)
        except (UpstreamFailure, PlantIDError, redis_lock.NotAcquired):
            value = None
        if self.clock.now == began:
            self.clock.sleep(self._near())
        seen, now = self.seen, self.clock.now
        made = value if isinstance(value, float) else _NOTHING
        seen.t_s.append(began - EPOCH_S)
        seen.key.append(key)
        seen.process.append(process)
        seen.wait_s.append(now - began)
        seen.age_s.append(now - made if made != _NOTHING else np.nan)
        seen.how.append(self._how(made, own=own[0], began=began))

    def _how(self, made: float, *, own: bool, began: float) -> int:
        if made == _NOTHING:
            return HOW.index("failed")
        if own:
            return HOW.index("computed")
        if made > began:
            return HOW.index("waited")
        stale = self.clock.now - made > self.workload.soft_s
        return HOW.index("stale" if stale else "hit")

    def _make(self, key: int, process: int) -> float:
        """Make a value: it is the time at which it was made."""
        calls, begin = self.calls, self.clock.now
        place = len(calls.begin_s)
        calls.begin_s.append(begin - EPOCH_S)
        calls.end_s.append(np.nan)
        calls.key.append(key)
        calls.process.append(process)
        calls.early.append(self.store.fresh(f"k{key}"))
        calls.failed.append(True)
        self.clock.sleep(self._duration())
        calls.end_s[place] = self.clock.now - EPOCH_S
        if self.workload.fail_rate and self._rng.random() < self.workload.fail_rate:
            raise UpstreamFailure
        calls.failed[place] = False
        return self.clock.now

    def _duration(self) -> float:
        if not self._durations:
            measured = self._latency.compute
            self._durations = (
                self._rng.choice(measured, 1024)
                if len(measured)
                else self.workload.recompute.draw(self._rng, 1024)
            ).tolist()
        return self._durations.pop()

    def warm(self, made_at: Mapping[int, float]) -> None:
        """Give keys a value made at such a time before the run's beginning, known to every process."""
        for key, at in sorted(made_at.items(), key=lambda one: one[1]):
            self._warm(key, EPOCH_S + at)

    def _warm(self, key: int, at: float) -> None:
        took = self.workload.recompute.mean_s
        self.clock.now = at - took

        def make() -> float:
            # A strategy measures how long this takes, and refreshes so much earlier.
            self.clock.sleep(took)
            return at

        def ask_all() -> None:
            for one in self._strategies:
                one.get(f"k{key}", make)

        self.clock.spawn(at - took, ask_all)
        self.clock.run(at + _SETTLED_S)

    def serve(self, requests: Requests, processes: Floats | None = None) -> None:
        """Let all requests come, each to a process drawn for it, and wait for the last answer."""
        if len(requests.times_s) > MOST_REQUESTS:
            raise TooManyRequests(len(requests.times_s))
        count = len(requests.times_s)
        if processes is None:
            processes = self._rng.integers(self.workload.processes, size=count).astype(float)
        rows = zip(
            requests.times_s.tolist(), requests.keys.tolist(), processes.astype(int).tolist(),
            strict=True,
        )  # fmt: skip
        clock, begin, run = self.clock, self.clock.begin, self.clock.run
        for at, key, process in rows:
            run(EPOCH_S + at)
            begin(partial(self.ask, key, process))
        if not clock.drain(clock.now + _TAIL_S):
            raise PlantIDError("the run does not come to an end: somebody waits for ever.")

    def close(self) -> None:
        """Let go of the strategies."""
        self.clock.close()
        for one in self._strategies:
            one.close()

    def tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return ``requests`` in the order of their answers, and ``calls``."""
        seen, calls = self.seen, self.calls
        requests = table(
            REQUESTS,
            t_s=seen.t_s,
            key=seen.key,
            process=seen.process,
            wait_s=seen.wait_s,
            how=np.array(seen.how, dtype=np.int64),
            age_s=seen.age_s,
            weight=np.ones(len(seen.t_s)),
        )
        made = table(
            CALLS,
            begin_s=calls.begin_s,
            end_s=calls.end_s,
            key=calls.key,
            process=calls.process,
            early=calls.early,
            failed=calls.failed,
        )
        return requests, made


def run(  # noqa: PLR0913 - all but three by keyword
    strategy: str,
    workload: Workload,
    seed: int,
    *,
    requests: Requests | None = None,
    processes: Floats | None = None,
    latency: Latency | None = None,
    warmed_s: Mapping[int, float] | None = None,
    grace_s: float = 0.0,
) -> Record:
    """Return one run; ``requests`` replays given ones, ``processes`` says to which process each goes.

    ``warmed_s`` are keys that have a value at the beginning, and when it was made (at most 0).
    ``grace_s``: see `expiries_of`. Raises `TooManyRequests`.
    """
    if requests is None:
        drawn = np.random.default_rng(np.random.SeedSequence([seed, 0]))
        if (expected := workload.rate * workload.duration_s) > 2 * MOST_REQUESTS:
            raise TooManyRequests(int(expected))
        requests = arrivals(workload, drawn)
    fleet = Fleet(strategy, workload, seed, latency)
    try:
        fleet.warm(warmed_s or {})
        fleet.clock.now = EPOCH_S
        fleet.serve(requests, processes)
        asked, calls = fleet.tables()
    finally:
        fleet.close()
    return Record(
        strategy, "faithful", workload, seed, len(requests.times_s), asked, calls,
        expiries_of(calls, asked, grace_s),
        upstream_of(calls["begin_s"].to_numpy(), workload.duration_s),
    )  # fmt: skip


def around_expiry(
    strategy: str,
    workload: Workload,
    seed: int,
    *,
    lead_s: float,
    after_s: float,
    draw: Callable[[Workload, np.random.Generator], Requests] = arrivals,
) -> Record:
    """Return the window around one expiry of a key that is warm; times are from its soft expiry on.

    Nobody asked between the value's birth and the window, so nobody can have made it anew before.
    """
    window = replace(
        workload, keys=1, rate=workload.load / workload.recompute.mean_s,
        duration_s=lead_s + after_s, arrivals="poisson",
    )  # fmt: skip
    asked = draw(window, np.random.default_rng(np.random.SeedSequence([seed, 0])))
    made = run(strategy, window, seed, requests=asked, warmed_s={0: lead_s - window.soft_s})
    calls = made.calls.assign(
        begin_s=made.calls["begin_s"] - lead_s, end_s=made.calls["end_s"] - lead_s
    )
    return replace(
        made,
        requests=made.requests.assign(t_s=made.requests["t_s"] - lead_s),
        calls=calls,
        expiries=made.expiries.assign(t_s=made.expiries["t_s"] - lead_s),
    )
