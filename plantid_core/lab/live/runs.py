"""One strategy on real processes, a real Valkey and real calls: every request sent when it is due."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.errors import PlantIDError
from plantid_core.lab.live import limits
from plantid_core.lab.live.orders import Share
from plantid_core.lab.live.rig import Rig
from plantid_core.lab.live.upstream import served
from plantid_core.lab.live.watch import Watch
from plantid_core.lab.workload import BadWorkload, Requests, arrivals
from plantid_core.resilience import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.live.orders import Ints, Seen
    from plantid_core.lab.live.tables import Rows
    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Floats, Recompute, Workload

# Shares are on their way to all processes, and their threads started, before the first is due.
_LEAD_S = 0.3
_WARM_MARGIN_S = 0.2
_LONGEST_WARM_UP_S = 10.0
_WARM_CALLS_PER_S = 50.0
_LATE_S = 0.01


class StrategyHangs(PlantIDError):
    """Requests had no answer by the end of a run and its grace: ``unanswered`` of them."""

    def __init__(self, strategy: str, unanswered: int, grace_s: float) -> None:
        self.strategy, self.unanswered = strategy, unanswered
        super().__init__(
            f"Under {strategy}, {unanswered} requests still had no answer {grace_s:g} s after the"
            " last was sent; the run was ended."
        )


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A record, and what only a live run has to tell.

    ``lateness_*``: how long after they were due requests were sent, in seconds. ``warmed_s``: when the
    values were made that the run began with, by key, in seconds before its beginning (below 0).
    ``served``: the recompute times the sandbox really drew. ``stopped``: ended before its time; the
    record's duration is the shorter one then.
    """

    record: Record
    lateness_p50_s: float
    lateness_p99_s: float
    lateness_longest_s: float
    warmed_s: dict[int, float]
    served: Recompute
    threads: int
    stopped: bool
    notes: tuple[str, ...]


def run(  # noqa: PLR0913 - the stable face, all by keyword
    strategy: str,
    workload: Workload,
    seed: int,
    *,
    tell: Callable[[str], object] | None = None,
    rig: Rig | None = None,
    requests: Requests | None = None,
    threads: int | None = None,
    stop: Callable[[], bool] | None = None,
    warm: bool = True,
) -> LiveRun:
    """Return one run of a strategy, by name, on as many client processes as the workload has.

    ``requests`` sends given ones instead of drawing them; the seed draws them and deals them to the
    processes, while times and failures upstream are the sandbox's own. ``warm`` makes each key's value
    beforehand, spread over one TTL (10 s at most), so that keys don't expire together. ``stop`` is asked
    four times a second. Without a ``rig`` one is made for this run. Raises `TooMuch`, `BadWorkload`,
    `StrategyHangs`, `RigBusy` and `RigBroken`.
    """
    if strategy not in NAMES:
        raise BadWorkload("strategy", strategy, f"one of {', '.join(NAMES)}")
    asked = _Asked.of(workload, seed, requests, threads=threads, warm=warm)
    say = tell or (lambda _: None)
    with ExitStack() as stack:
        if rig is None:
            say("starting a Valkey, a sandbox and the client processes")
            rig = stack.enter_context(Rig(workload.processes))
        stack.enter_context(rig.taken())
        return _run(strategy, asked, rig, say, stop or (lambda: False))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A run, planned: the requests that warm keys, with times below 0, and then all others."""

    workload: Workload
    seed: int
    times_s: Floats
    keys: Ints
    dealt: Ints
    threads: int

    @classmethod
    def of(
        cls,
        workload: Workload,
        seed: int,
        requests: Requests | None,
        *,
        threads: int | None,
        warm: bool,
    ) -> _Asked:
        asked = arrivals(workload, np.random.default_rng(seed)) if requests is None else requests
        if len(asked.times_s) and (asked.times_s[0] < 0 or np.any(np.diff(asked.times_s) < 0)):
            raise BadWorkload("requests", "not so", "in the order of their times, from 0 on")
        limits.check(workload, asked)
        workload = replace(workload, duration_s=max(workload.duration_s, asked.duration_s))
        rng = np.random.default_rng([seed, 1])
        spell = limits.spell_s(served(workload.recompute), workload.fail_rate)
        first = _warming(workload, asked, spell, rng) if warm else Requests(_NONE, _NO_KEYS)
        times = np.concatenate([first.times_s, asked.times_s])
        dealt = rng.integers(workload.processes, size=len(times))
        count = limits.threads(times, dealt, spell, threads)
        keys = np.concatenate([first.keys, asked.keys])
        return cls(workload, seed, times, keys, dealt, count)

    @property
    def warm_up_s(self) -> float:
        return max(0.0, -float(self.times_s[0])) if len(self.times_s) else 0.0

    @property
    def offered(self) -> int:
        return int((self.times_s >= 0).sum())

    def shares(self) -> list[tuple[Floats, Ints]]:
        """Return each process's times and keys."""
        each = [self.dealt == process for process in range(self.workload.processes)]
        return [(self.times_s[own], self.keys[own]) for own in each]


_NONE = np.empty(0, np.float64)
_NO_KEYS = np.empty(0, np.int64)


def _warming(
    workload: Workload, requests: Requests, spell: float, rng: np.random.Generator
) -> Requests:
    """Return the requests that make each key's value beforehand, the most popular keys' at least."""
    keys, counts = np.unique(requests.keys, return_counts=True)
    span = min(workload.soft_s, _LONGEST_WARM_UP_S)
    most = max(1, int(span * _WARM_CALLS_PER_S))
    keys = keys[np.argsort(-counts, kind="stable")][:most]
    times = -span * (1 - np.arange(len(keys)) / max(1, len(keys)))
    # One key has nobody to keep out of step with, and its value would be old before it begins.
    times = times if len(keys) > 1 else times * 0
    return Requests(times - spell - _WARM_MARGIN_S, rng.permutation(keys).astype(np.int64))


def _run(
    strategy: str,
    asked: _Asked,
    rig: Rig,
    say: Callable[[str], object],
    stop: Callable[[], bool],
) -> LiveRun:
    workload, shares = asked.workload, asked.shares()
    clients = rig.clients(workload.processes)
    prefix = rig.anew()
    rig.upstream.be(workload.recompute, 0.0)
    at = time.monotonic() + asked.warm_up_s + _LEAD_S
    watch = Watch(clients, strategy, at, workload.duration_s, rig.grace_s)
    for client, (times, keys) in zip(clients, shares, strict=True):
        settings = strategy, workload, prefix, asked.threads, at
        client.send(Share(*settings, workload.duration_s, rig.grace_s, times, keys))
    if workload.fail_rate:
        # Values that a run begins with are there: only its own calls fail.
        watch.until(at, say, stop)
        rig.upstream.be(workload.recompute, workload.fail_rate)
    seen = watch.finish(say, stop)
    if (unanswered := sum(one.unanswered for one in seen)) and not watch.stopped_at:
        raise StrategyHangs(strategy, unanswered, rig.grace_s)
    return _told(strategy, asked, seen, watch, say)


def _told(
    strategy: str, asked: _Asked, seen: list[Seen], watch: Watch, say: Callable[[str], object]
) -> LiveRun:
    from plantid_core.lab.live.tables import Rows, made_record

    rows = Rows.of(seen, asked.shares(), watch.at)
    workload, offered = asked.workload, asked.offered
    if watch.stopped_at is not None:
        workload = replace(workload, duration_s=max(watch.stopped_at - watch.at, 1e-3))
        offered = int((rows.due >= 0).sum())
    notes = _notes(asked, rows)
    for note in notes:
        say(note)
    late = rows.lateness_s() if offered else np.zeros(1)
    p50, p99 = np.quantile(late, (0.5, 0.99))
    return LiveRun(
        record=made_record(strategy, workload, asked.seed, offered, rows),
        lateness_p50_s=float(p50),
        lateness_p99_s=float(p99),
        lateness_longest_s=float(late.max()),
        warmed_s=rows.warmed_s(),
        served=served(workload.recompute),
        threads=asked.threads,
        stopped=watch.stopped_at is not None,
        notes=notes,
    )


def _notes(asked: _Asked, rows: Rows) -> tuple[str, ...]:
    notes, late = list[str](), rows.lateness_s()
    if asked.workload.recompute.spread == "exponential":
        notes.append(
            "The sandbox draws no exponential times: it drew log-normal ones of the same mean and"
            " standard deviation."
        )
    if len(late) and (p99 := float(np.quantile(late, 0.99))) > _LATE_S:
        why = (
            f"all {asked.threads} threads of a process were waiting for answers"
            if rows.most_in_flight() >= asked.threads
            else "the machine was too busy"
        )
        notes.append(
            f"One request in a hundred was sent {p99 * 1e3:.0f} ms late or more: {why}."
            " Ask for a lower rate."
        )
    return tuple(notes)
