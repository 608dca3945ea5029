"""The simulator beside real processes: the same requests, at the same times, to the same processes.

Each live run's own arrivals are replayed by the faithful engine, with service times that were measured
on this machine in the same benchmark; of the chances (early draws, times) several draws are averaged.
"""

from __future__ import annotations

import itertools
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.lab import live as rigs
from plantid_core.lab.live.tables import GRACE_S
from plantid_core.lab.record import quantiles
from plantid_core.lab.simulate import faithful
from plantid_core.lab.simulate.latency import Latency
from plantid_core.lab.workload import Recompute, Requests, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from plantid_core.lab.live import Calibration, LiveRun
    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Floats

ROUNDS = 7
STRATEGIES = ("none", "redis-lock", "xfetch", "lease")
LOADS = (3.0, 6.0, 10.0)
PROCESSES = 2
KEYS = 8
DELTA_S = 0.1
TTL_S = 1.0
# What is left to chance needs more expiries for the same certainty.
DURATION_S = {"none": 4.0, "redis-lock": 4.0, "xfetch": 15.0, "lease": 4.0}
_WARM_UP = 0.3
DRAWS = 10
CALLS_BAR, WAIT_BAR = 10.0, 25.0


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of one case, by the round: live, and simulated."""

    live: list[float] = field(default_factory=list)
    simulated: list[float] = field(default_factory=list)

    def off_percent(self) -> float:
        """Return how far the simulated median is from the live one."""
        live = statistics.median(self.live)
        return abs(statistics.median(self.simulated) - live) / live * 100

    def inside(self) -> bool:
        """Tell whether the simulated median is one that a live run had."""
        return min(self.live) <= statistics.median(self.simulated) <= max(self.live)


def run(
    tell: Callable[[str], None],
    *,
    rounds: int = ROUNDS,
    loads: tuple[float, ...] = LOADS,
    strategies: tuple[str, ...] = STRATEGIES,
    shorter: float = 1.0,
) -> Report:
    """Return calls an expiry and the 99th percentile of waits, live and simulated, and how they differ."""
    cases = list(itertools.product(strategies, loads))
    lived: dict[tuple[str, float], list[LiveRun]] = {case: [] for case in cases}
    with rigs.Rig(PROCESSES) as rig:
        measured = [_calibrated(rig)]
        for number, (name, load) in itertools.product(range(rounds + 1), cases):
            tell(f"{name}, load {load:g}: round {number} of {rounds}")
            asked = _workload(name, load, shorter if number else _WARM_UP * shorter)
            found = rigs.run(name, asked, _seed(number, load), rig=rig)
            lived[name, load] += [found] if number else []
            if (name, load) == cases[-1]:
                measured.append(_calibrated(rig))
    tell("replaying what came, with the times that were measured")
    calls, waits = {case: Pair() for case in cases}, {case: Pair() for case in cases}
    for (name, load), runs in lived.items():
        latency = latency_of(measured, name)
        for number, one in enumerate(runs):
            seed = _seed(number, load)
            again = [_replayed(name, one, latency, seed + draw) for draw in range(DRAWS)]
            _add(calls[name, load], one.record, again, _calls)
            _add(waits[name, load], one.record, again, _wait_ms)
    late = [one.lateness_p99_s * 1e3 for runs in lived.values() for one in runs]
    rows = [*_parts(measured), Row.of("live", "dispatch", "lateness p99", "ms", late)]
    rows += [*_rows(calls, "calls an expiry", "calls"), *_rows(waits, "wait p99", "ms")]
    return Report("live-vs-sim", tuple(rows), tuple(_ratios(calls, waits)))


def _calibrated(rig: rigs.Rig) -> Calibration:
    return rigs.calibrate(rig, processes=PROCESSES, threads=20, latency_s=DELTA_S)


def _seed(number: int, load: float) -> int:
    return 1000 * number + int(load)


def _workload(name: str, load: float, shorter: float) -> Workload:
    return Workload(
        rate=KEYS * load / DELTA_S,
        duration_s=DURATION_S[name] * shorter,
        keys=KEYS,
        zipf_s=0.0,
        ttl_s=TTL_S,
        recompute=Recompute(DELTA_S),
        processes=PROCESSES,
    )


def latency_of(measured: Sequence[Calibration], name: str) -> Latency:
    """Return what a simulation of a strategy takes for its service times.

    A wake-up was timed from the start of the release or commit, whose way to the server, half its
    round trip, the simulation counts for itself; so it does with a lock's two commands.
    """

    def all_of(part: str) -> Floats:
        return np.concatenate([getattr(one, part) for one in measured])

    command, link = all_of("redis_py_s"), all_of("thin_s")
    return Latency(
        command=command,
        link=link,
        signal=_less(all_of("lock_wake_s"), command / 2),
        wake=_less(all_of("lease_wake_s"), link / 2),
        near=np.concatenate([one.hit_s[name] for one in measured]),
        wrap=_less(all_of("lock_take_s"), command * 2),
        compute=all_of("compute_s"),
    )


def _less(samples: Floats, part: Floats) -> Floats:
    return np.maximum(samples - np.median(part), 0.0)


def _replayed(name: str, live: LiveRun, latency: Latency, seed: int) -> Record:
    asked = live.record.requests
    return faithful.run(
        name,
        live.record.workload,
        seed,
        requests=Requests(asked["t_s"].to_numpy(), asked["key"].to_numpy()),
        processes=asked["process"].to_numpy().astype(np.float64),
        latency=latency,
        warmed_s=live.warmed_s,
        grace_s=min(GRACE_S, TTL_S / 10),
    )


def _calls(record: Record) -> float:
    return float(record.expiries["calls"].mean())


def _wait_ms(record: Record) -> float:
    return quantiles(record.requests, (0.99,))[0] * 1e3


def _add(
    pair: Pair, live: Record, simulated: list[Record], figure: Callable[[Record], float]
) -> None:
    pair.live.append(figure(live))
    pair.simulated.append(statistics.fmean(figure(one) for one in simulated))


def _parts(measured: list[Calibration]) -> Iterator[Row]:
    for name in ("redis_py_s", "thin_s", "lock_wake_s", "lease_wake_s", "lock_take_s", "compute_s"):
        samples = [float(ms) for one in measured for ms in getattr(one, name) * 1e3]
        yield Row.of("calibration", name.removesuffix("_s"), "time", "ms", samples)


def _rows(pairs: dict[tuple[str, float], Pair], metric: str, unit: str) -> Iterator[Row]:
    for (name, load), pair in pairs.items():
        yield Row.of(f"load {load:g}, live", name, metric, unit, pair.live)
        yield Row.of(f"load {load:g}, simulated", name, metric, unit, pair.simulated)


def _ratios(
    calls: dict[tuple[str, float], Pair], waits: dict[tuple[str, float], Pair]
) -> Iterator[Ratio]:
    for (name, load), pair in calls.items():
        yield Ratio(
            f"{name}, load {load:g}: calls an expiry off by", pair.off_percent(), "%", CALLS_BAR
        )
    for (name, load), pair in waits.items():
        off = 0.0 if pair.inside() else pair.off_percent()
        yield Ratio(
            f"{name}, load {load:g}: wait p99 off by (0: within the live minimum and maximum)",
            off, "%", WAIT_BAR,
        )  # fmt: skip
