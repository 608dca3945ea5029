"""What is asked of a cache, and what it costs to answer: the settings of every simulation and live run.

Requests are a Poisson process whose rate is a step function of time: constant, switching at random
between a quiet and a busy rate (a Markov-modulated Poisson process of two states; Fischer and
Meier-Hellstern, "The Markov-modulated Poisson process cookbook", Performance Evaluation 18, 1993),
a day's rise and fall, or a flash crowd. Each request is for one of ``keys`` keys with Zipf popularity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float64]

Arrivals = Literal["poisson", "bursty", "diurnal", "flash"]
Spread = Literal["constant", "exponential", "lognormal"]
ARRIVALS: tuple[Arrivals, ...] = get_args(Arrivals)
SPREADS: tuple[Spread, ...] = get_args(Spread)

MOST_KEYS = 1_000_000
_DAY_STEPS = 96
_FLASH_STEPS = 40


class BadWorkload(PlantIDError):
    """A setting that cannot be: which one, its value, and what it may be."""

    def __init__(self, setting: str, value: object, allowed: str) -> None:
        super().__init__(f"{setting} must be {allowed}; it is {value}.")
        self.setting, self.value, self.allowed = setting, value, allowed


@dataclass(frozen=True, slots=True)
class Recompute:
    """How long making a value takes: mean in seconds, and its distribution.

    ``sigma`` is the standard deviation of the logarithm, for ``lognormal`` alone.
    """

    mean_s: float = 0.2
    spread: Spread = "constant"
    sigma: float = 0.5

    def draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Return so many durations in seconds."""
        if self.spread == "constant":
            return np.full(count, self.mean_s)
        if self.spread == "exponential":
            return rng.exponential(self.mean_s, count)
        return rng.lognormal(math.log(self.mean_s) - self.sigma**2 / 2, self.sigma, count)


@dataclass(frozen=True, slots=True)
class Profile:
    """A rate that is a step function: ``rates[i]`` requests/s from ``edges[i]`` to ``edges[i + 1]``."""

    edges: Floats
    rates: Floats

    def mean(self) -> float:
        """Return the mean rate, requests/s."""
        return float(np.average(self.rates, weights=np.diff(self.edges)))


@dataclass(frozen=True, slots=True)
class Workload:
    """Times in seconds, rates per second over all keys and processes.

    ``rate`` is the mean of the base load. ``bursty`` multiplies it by ``burst`` in busy spells of mean
    ``burst_s`` that fill a tenth of the time (and divides what remains over the rest); ``diurnal``
    swings by ± 80 % over ``period_s``; ``flash`` jumps to ``burst`` times the rate in the middle of
    the run and decays with ``burst_s``. ``jitter`` draws each TTL from [1 - jitter, 1] times its length.
    ``soft_ttl_s`` None means ``ttl_s``: no stale answers. ``fail_rate`` is the chance that making a
    value raises. Raises `BadWorkload`.
    """

    rate: float = 100.0
    duration_s: float = 600.0
    arrivals: Arrivals = "poisson"
    burst: float = 5.0
    burst_s: float = 10.0
    period_s: float = 600.0
    keys: int = 1
    zipf_s: float = 1.0
    ttl_s: float = 60.0
    soft_ttl_s: float | None = None
    jitter: float = 0.0
    beta: float = 1.0
    lease_s: float = 1.5
    recompute: Recompute = field(default_factory=Recompute)
    fail_rate: float = 0.0
    processes: int = 4

    def __post_init__(self) -> None:
        for name in ("rate", "duration_s", "burst", "burst_s", "period_s", "ttl_s", "lease_s"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise BadWorkload(name, value, "above 0")
        if not 0 < self.recompute.mean_s < math.inf or not 0 <= self.recompute.sigma < math.inf:
            raise BadWorkload("recompute", self.recompute, "above 0 s")
        if not 1 <= self.keys <= MOST_KEYS:
            raise BadWorkload("keys", self.keys, f"from 1 to {MOST_KEYS}")
        if not 0 < self.soft_s <= self.ttl_s:
            raise BadWorkload("soft_ttl_s", self.soft_ttl_s, f"above 0 and at most {self.ttl_s:g}")
        for name, low, high in (
            ("jitter", 0.0, 0.999),
            ("fail_rate", 0.0, 1.0),
            ("beta", 0.0, 1e3),
        ):
            if not low <= getattr(self, name) <= high:
                raise BadWorkload(name, getattr(self, name), f"from {low:g} to {high:g}")
        if self.arrivals not in ARRIVALS or self.recompute.spread not in SPREADS:
            known = ", ".join((*ARRIVALS, *SPREADS))
            raise BadWorkload("arrivals", f"{self.arrivals}, {self.recompute.spread}", known)
        if self.processes < 1 or not 0 <= self.zipf_s <= 10:  # noqa: PLR2004 - far above any web's
            raise BadWorkload("processes", self.processes, "at least 1, and zipf_s from 0 to 10")

    @property
    def soft_s(self) -> float:
        """Return the soft TTL."""
        return self.ttl_s if self.soft_ttl_s is None else self.soft_ttl_s

    @property
    def load(self) -> float:
        """Return λΔ of the most popular key: requests for it while its value is made once."""
        return self.rate * float(self.popularity()[0]) * self.recompute.mean_s

    def popularity(self) -> Floats:
        """Return each key's share of the requests, the most popular first; (keys,), sums to 1."""
        weights = np.arange(1, self.keys + 1, dtype=np.float64) ** -self.zipf_s
        share: Floats = weights / weights.sum()
        return share

    def profile(self, rng: np.random.Generator) -> Profile:
        """Return the rate over time; only ``bursty`` draws."""
        if self.arrivals == "bursty":
            return self._bursty(rng)
        if self.arrivals == "diurnal":
            step = self.period_s / _DAY_STEPS
            edges = _edges(self.duration_s, step)
            middle = (edges[:-1] + edges[1:]) / 2
            rates = self.rate * (1 - 0.8 * np.cos(2 * np.pi * middle / self.period_s))
            return Profile(edges, rates)
        if self.arrivals == "flash":
            return self._flash()
        return Profile(np.array([0.0, self.duration_s]), np.array([self.rate]))

    def _flash(self) -> Profile:
        begin = self.duration_s / 2
        steps = begin + np.linspace(0, min(8 * self.burst_s, begin), _FLASH_STEPS + 1)
        edges = np.unique(np.concatenate([[0.0], steps, [self.duration_s]]))
        middle = (edges[:-1] + edges[1:]) / 2
        since = np.maximum(middle - begin, 0.0)
        extra = np.where(middle > begin, np.exp(-since / self.burst_s), 0.0)
        return Profile(edges, self.rate * (1 + (self.burst - 1) * extra))

    def _bursty(self, rng: np.random.Generator) -> Profile:
        # The busy state lasts burst_s and holds a tenth of the time; the mean stays ``rate``.
        quiet_s = 9 * self.burst_s
        count = int(self.duration_s / (quiet_s + self.burst_s) * 3) + 20
        spells = rng.exponential(1.0, 2 * count)
        busy_first = bool(rng.random() < 0.1)  # noqa: PLR2004 - the share of busy time
        scale = np.tile([self.burst_s, quiet_s] if busy_first else [quiet_s, self.burst_s], count)
        ends = np.cumsum(spells * scale)
        while ends[-1] < self.duration_s:  # a rare draw of many short spells
            ends = np.concatenate(
                [ends, ends[-1] + np.cumsum(rng.exponential(1.0, 2 * count) * scale)]
            )
        edges = np.concatenate([[0.0], ends[ends < self.duration_s], [self.duration_s]])
        busy = (np.arange(len(edges) - 1) % 2 == 0) == busy_first
        mean = 0.9 + 0.1 * self.burst
        return Profile(edges, np.where(busy, self.burst, 1.0) * self.rate / mean)

    def with_load(self, load: float) -> Workload:
        """Return the workload at another λΔ of its most popular key."""
        return replace(self, rate=self.rate * load / self.load)


def _edges(duration_s: float, step: float) -> Floats:
    edges = np.arange(0.0, duration_s, step)
    return np.append(edges, duration_s) if edges[-1] < duration_s else edges


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests in the order of their times: seconds since the beginning, and which key; (n,) both."""

    times_s: Floats
    keys: npt.NDArray[np.int64]

    @property
    def duration_s(self) -> float:
        """Return the time of the last request."""
        return float(self.times_s[-1]) if len(self.times_s) else 0.0


def arrivals(workload: Workload, rng: np.random.Generator) -> Requests:
    """Return every request of a workload, drawn."""
    profile = workload.profile(rng)
    spans = np.diff(profile.edges)
    counts = rng.poisson(profile.rates * spans)
    times = np.repeat(profile.edges[:-1], counts) + rng.random(int(counts.sum())) * np.repeat(
        spans, counts
    )
    times.sort()
    if workload.keys == 1:
        keys = np.zeros(len(times), dtype=np.int64)
    else:
        cumulative = np.cumsum(workload.popularity())
        keys = np.searchsorted(cumulative, rng.random(len(times)) * cumulative[-1], side="right")
    return Requests(times, keys.astype(np.int64))
