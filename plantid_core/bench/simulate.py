"""The fast simulation beside a model in simpy of the same thing, beside theory, and at internet scale."""

from __future__ import annotations

import importlib.util
import math
import random
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from plantid_core.bench.early import expiries_of
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.timing import interleaved

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.lab.internet import Internet
    from plantid_core.lab.workload import Workload

    Tell = Callable[[str], None]

STRATEGIES = ("none", "xfetch", "lease")
AT_SCALE = ("xfetch", "lease")
_CASE = "one key, 100/s, TTL 60 s"
_TIMES_SIMPY = 500
_AGREES_Z = 4.5
_AT_SCALE_S, _AT_SCALE_MB = 15.0, 500.0
# Some 4·10⁷ calls are compared: chance alone is off by 1/√n, 0.016 %. Six of these.
_OFF_PERCENT = 0.1


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated: seconds a round of each engine, rounds, expiries for theory, keys at scale."""

    fast_s: float = 300_000.0
    simpy_s: float = 1200.0
    rounds: int = 7
    expiries: int = 200_000
    keys: int = 1_000_000
    rate: float = 1e5
    duration_s: float = 1e4


@dataclass
class Simpy:
    """One key in simpy, as one would write it: a request that finds its value costs one event alone."""

    strategy: str
    workload: Workload
    seed: int
    requests: int = 0
    begins: list[float] = field(default_factory=list)
    _expiry: float = -math.inf
    _making: Any = None

    def run(self) -> None:
        """Simulate until the workload's end."""
        self._env = import_module("simpy").Environment()
        self._chance = random.Random(self.seed)  # noqa: S311 - chances, no secrets
        self._env.process(self._source())
        self._env.run(until=self.workload.duration_s)

    def _source(self) -> Iterator[object]:
        env, rate, gap = self._env, self.workload.rate, self._chance.expovariate
        while True:
            yield env.timeout(gap(rate))
            self.requests += 1
            if env.now >= self._expiry:
                self._miss()
            elif self.strategy != "none" and self._early():
                if self.strategy == "xfetch":
                    env.process(self._make())
                elif self._making is None:
                    self._making = env.process(self._make())

    def _early(self) -> bool:
        gap = self.workload.beta * self.workload.recompute.mean_s * self._chance.expovariate(1.0)
        return bool(self._env.now + gap >= self._expiry)

    def _miss(self) -> None:
        if self.strategy != "lease":
            self._env.process(self._make())
        elif self._making is None:
            self._making = self._env.process(self._make())
        else:
            self._env.process(self._wait(self._making))

    def _wait(self, making: object) -> Iterator[object]:
        yield making

    def _make(self) -> Iterator[object]:
        self.begins.append(self._env.now)
        yield self._env.timeout(self.workload.recompute.mean_s)
        self._expiry, self._making = self._env.now + self.workload.ttl_s, None


def run(
    tell: Tell, *, size: Size | None = None, strategies: tuple[str, ...] = STRATEGIES
) -> Report:
    """Return requests simulated a second, deviations from theory, and runs of a million keys.

    Takes about a minute and a half. Compiling is not part of what is timed.
    """
    from plantid_core.lab.simulate import fast

    size = size or Size()
    tell("the fast engine is compiled, if it was not before")
    fast.warm_up()
    rows, ratios = list[Row](), list[Ratio]()
    for part in (_beside_simpy(tell, size, strategies), _theory(tell, size), _scale(tell, size)):
        for one in part:
            if isinstance(one, Row):
                rows.append(one)
            else:
                ratios.append(one)
    return Report("simulate", tuple(rows), tuple(ratios))


def _beside_simpy(tell: Tell, size: Size, strategies: tuple[str, ...]) -> Iterator[Row | Ratio]:
    present = importlib.util.find_spec("simpy") is not None
    if not present:
        tell("simpy is left out: install the extra 'bench'")
    for strategy in strategies:
        tell(f"{strategy}: {size.rounds} rounds of each engine")
        yield from _one_strategy(strategy, size, simpy=present)


def _one_strategy(strategy: str, size: Size, *, simpy: bool) -> Iterator[Row | Ratio]:
    from plantid_core.lab.simulate import fast
    from plantid_core.lab.workload import Recompute, Workload

    def workload(duration_s: float) -> Workload:
        return Workload(
            rate=100.0, duration_s=duration_s, ttl_s=60.0, recompute=Recompute(0.2), processes=1
        )

    requests: dict[str, list[int]] = {"fast": [], "simpy": []}
    sizes: dict[str, list[int]] = {"fast": [], "simpy": []}

    def ours() -> None:
        record = fast.run(strategy, workload(size.fast_s), len(requests["fast"]) + 1)
        requests["fast"].append(record.offered)
        # The first is an empty cache's, the last may not be over.
        sizes["fast"] += record.expiries["calls"].tolist()[1:-1]

    def theirs() -> None:
        model = Simpy(strategy, workload(size.simpy_s), len(requests["simpy"]) + 1)
        model.run()
        requests["simpy"].append(model.requests)
        sizes["simpy"] += expiries_of(model.begins, 0.2, size.simpy_s)[1:]

    contestants = {"fast": ours} | ({"simpy": theirs} if simpy else {})
    taken = interleaved(contestants, size.rounds)
    case = f"{strategy}: {_CASE}"
    ns = {}
    for name, ms in taken.items():
        counted = requests[name][-size.rounds :]
        each = [n / one * 1e3 for n, one in zip(counted, ms, strict=True)]
        ns[name] = Row.of(case, name, "requests simulated", "1/s", each)
        yield ns[name]
        yield Row.of(case, name, "calls per expiry", "calls", [float(np.mean(sizes[name]))])
    if simpy:
        yield Ratio(
            f"{strategy}: time per request, fast / simpy (at least {_TIMES_SIMPY} x as fast)",
            ns["simpy"].median / ns["fast"].median, "x", 1 / _TIMES_SIMPY,
        )  # fmt: skip
        yield Ratio(
            f"{strategy}: calls per expiry, fast and simpy apart, in standard errors",
            _apart(sizes["fast"], sizes["simpy"]), "x", _AGREES_Z,
        )  # fmt: skip


def _apart(one: list[int], two: list[int]) -> float:
    off = abs(float(np.mean(one)) - float(np.mean(two)))
    error = math.sqrt(np.var(one, ddof=1) / len(one) + np.var(two, ddof=1) / len(two))
    if off == 0:
        return 0.0
    return off / error if error else math.inf


def _theory(tell: Tell, size: Size) -> Iterator[Row | Ratio]:
    from plantid_core.lab import theory

    tell(f"theory beside {size.expiries:,} expiries of each case")
    for found in theory.confirm(1, size.expiries).to_dict("records"):
        case = f"{found['case']}, beta {found['beta']:g}, load {found['load']:g}"
        yield Row.of(case, "theory", "value", "1", [found["theory"]])
        yield Row.of(case, "fast", "value", "1", [found["simulated"]])
        yield Ratio(f"{case}: off theory", found["deviation_percent"], "%", found["bar_percent"])


def _scale(tell: Tell, size: Size) -> Iterator[Row | Ratio]:
    from plantid_core.lab import internet

    for strategy in AT_SCALE:
        # A run of nothing compiles what is not compiled.
        internet.run(strategy, keys=100, rate=10.0, duration_s=100.0)
        made = internet.run(
            strategy, keys=size.keys, rate=size.rate, duration_s=size.duration_s, tell=tell
        )
        yield from _at_scale(made, f"{size.keys:,} keys, {made.requests:,} requests")


def _at_scale(made: Internet, case: str) -> Iterator[Row | Ratio]:
    name = made.settings.strategy
    yield Row.of(case, name, "time", "s", [made.taken_s])
    yield Row.of(case, name, "resident at most", "MB", [made.peak_mb])
    yield Row.of(case, name, "calls", "calls", [made.calls])
    yield Row.of(case, name, "calls a second", "1/s", made.upstream.tolist())
    yield Row.of(case, name, "wait, 99.9 %", "s", [made.wait_s(0.999)])
    yield Row.of(case, name, "calls of the second half", "calls", [made.settled])
    yield Row.of(case, "closed form", "calls of the second half", "calls", [made.expected])
    yield Ratio(f"{name} at scale: time", made.taken_s, "s", _AT_SCALE_S)
    yield Ratio(f"{name} at scale: resident at most", made.peak_mb, "MB", _AT_SCALE_MB)
    yield Ratio(
        f"{name} at scale: off the closed form", 100 * abs(made.difference), "%", _OFF_PERCENT
    )
