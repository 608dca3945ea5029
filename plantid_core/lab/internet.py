"""A million keys at a hundred thousand requests a second, and what comes of it upstream.

In a process of its own, so that what it needs of memory can be told, and is given back.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from plantid_core.lab.workload import Floats

STRATEGIES = ("none", "redis-lock", "xfetch", "lease")
_CHUNKS = 64
_BINS = 400
_MOST_SECONDS = 1_000_000
_MB = 1024


class BadInternet(PlantIDError):
    """A setting that cannot be."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds; ``rate`` requests/s over all ``keys``, popular after Zipf with ``zipf_s``."""

    strategy: str
    keys: int = 1_000_000
    rate: float = 1e5
    duration_s: float = 1e4
    zipf_s: float = 1.0
    ttl_s: float = 60.0
    delta_s: float = 0.2
    beta: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise BadInternet(
                f"there is no such run of {self.strategy!r}; use one of {', '.join(STRATEGIES)}."
            )
        if self.seed < 0 or not 0 <= self.zipf_s <= 10:  # noqa: PLR2004 - far above any web's
            raise BadInternet("seed must be from 0 on, and zipf_s from 0 to 10.")
        if not 1 <= self.keys <= 10 * 1_000_000 or not 2 <= self.duration_s <= _MOST_SECONDS:  # noqa: PLR2004
            raise BadInternet("keys are from 1 to 10 million, and a run from 2 to 1,000,000 s.")
        if min(self.rate, self.delta_s) <= 0 or self.beta < 0:
            raise BadInternet("rate and delta_s must be above 0, and beta not below 0.")
        if self.ttl_s < 2 * self.delta_s + 40 * self.early_s:
            raise BadInternet(
                f"ttl_s must be at least {2 * self.delta_s + 40 * self.early_s:g} s, that is 2Δ + 40βΔ;"
                f" it is {self.ttl_s:g} s."
            )

    @property
    def early_s(self) -> float:
        """Return βΔ, 0 for strategies that are never early."""
        return self.beta * self.delta_s if self.strategy in {"xfetch", "lease"} else 0.0

    def rates(self) -> Floats:
        """Return each key's requests/s; (keys,)."""
        weights = np.arange(1, self.keys + 1, dtype=np.float64) ** -self.zipf_s
        rates: Floats = weights * (self.rate / weights.sum())
        return rates


@dataclass(frozen=True, slots=True)
class Internet:
    """One run of very many keys.

    ``upstream`` (seconds,) is calls by second; ``waits`` (bins,) requests that waited, in equal bins from
    0 to Δ. ``expected`` is the closed form's number of calls in the run's second half, which
    the empty cache of the beginning does not reach, and ``difference`` how far off ``settled``, the number
    simulated there, was: relative, signed. ``peak_mb`` is the resident memory of the process at its most.
    """

    settings: Settings
    requests: int
    calls: int
    upstream: np.ndarray
    waits: np.ndarray
    settled: int
    expected: float
    taken_s: float
    peak_mb: float

    @property
    def difference(self) -> float:
        """Return how far the simulated calls are from the closed form, relative."""
        return self.settled / self.expected - 1

    def wait_s(self, at: float) -> float:
        """Return a quantile of the wait of all requests, seconds: the upper end of its bin."""
        slow = int(self.waits.sum())
        short = at * self.requests - (self.requests - slow)
        if short <= 0:
            return 0.0
        place = min(int(np.searchsorted(self.waits.cumsum(), short)), len(self.waits) - 1)
        return (place + 1) / len(self.waits) * self.settings.delta_s


def run(  # noqa: PLR0913 - the face of `Settings`
    strategy: str,
    *,
    keys: int = 1_000_000,
    rate: float = 1e5,
    duration_s: float = 1e4,
    zipf_s: float = 1.0,
    ttl_s: float = 60.0,
    delta_s: float = 0.2,
    beta: float = 1.0,
    seed: int = 1,
    tell: Callable[[str], None] = lambda _: None,
) -> Internet:
    """Return a run of one of `STRATEGIES`, from an empty cache; ``tell`` hears of its progress.

    Requests are Poisson, Δ is constant, hard and soft TTL the same. Raises `BadInternet`.
    """
    settings = Settings(strategy, keys, rate, duration_s, zipf_s, ttl_s, delta_s, beta, seed)
    command = [sys.executable, "-m", "plantid_core.lab.internet", json.dumps(asdict(settings))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603 - ourselves
        lines = iter(child.stdout or ())
        answer: Mapping[str, object] | None = None
        for line in lines:
            told = json.loads(line)
            if "told" in told:
                tell(told["told"])
            else:
                answer = told
    if answer is None:
        raise PlantIDError(
            f"the simulation ended with code {child.returncode}; it may lack memory."
        )
    return _read(settings, answer)


def _read(settings: Settings, answer: Mapping[str, object]) -> Internet:
    upstream = np.array(answer["upstream"], np.int64)
    return Internet(
        settings, cast("int", answer["requests"]), int(upstream.sum()), upstream,
        np.array(answer["waits"], np.int64), cast("int", answer["settled"]),
        cast("float", answer["expected"]), cast("float", answer["taken_s"]),
        cast("float", answer["peak_mb"]),
    )  # fmt: skip


def simulate(
    settings: Settings, tell: Callable[[str], None] = lambda _: None, *, threads: int | None = None
) -> Internet:
    """Do in this process what `run` does in another; the result is the same for any ``threads``."""
    from plantid_core.lab import internet_kernels, theory

    begin = time.perf_counter()
    rates = settings.rates()
    seconds = int(np.ceil(settings.duration_s))
    streams = np.random.SeedSequence(settings.seed).generate_state(_CHUNKS + 1)
    kind = internet_kernels.LOCKED if settings.strategy in {"redis-lock", "lease"} else 0
    upstream, waits = np.zeros(seconds, np.int64), np.zeros(_BINS, np.int64)

    def chunk(number: int) -> tuple[np.ndarray, np.ndarray]:
        by_second, waited = np.zeros(seconds, np.int64), np.zeros(_BINS, np.int64)
        internet_kernels.run(
            kind, np.ascontiguousarray(rates[number::_CHUNKS]), settings.duration_s, settings.ttl_s,
            settings.delta_s, settings.early_s, int(streams[number]), by_second, waited,
        )  # fmt: skip
        return by_second, waited

    # The kernel lets go of the interpreter's lock; every chunk of keys has its own stream of chances.
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for number, (by_second, waited) in enumerate(pool.map(chunk, range(_CHUNKS)), 1):
            upstream += by_second
            waits += waited
            if number % (_CHUNKS // 8) == 0:
                tell(f"{settings.strategy}: {number * 100 // _CHUNKS} % of {settings.keys:,} keys")
    middle = seconds // 2
    expected = (settings.duration_s - middle) * theory.calls_per_s(
        settings.strategy, rates, ttl_s=settings.ttl_s, delta_s=settings.delta_s, beta=settings.beta
    ).sum()
    offered = np.random.default_rng(int(streams[-1])).poisson(settings.rate * settings.duration_s)
    return Internet(
        settings, int(offered), int(upstream.sum()), upstream, waits, int(upstream[middle:].sum()),
        float(expected), time.perf_counter() - begin, _peak_mb(),
    )  # fmt: skip


def _peak_mb() -> float:
    try:
        # Unlike the number of getrusage, this one does not begin with what the parent held.
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / _MB
    except OSError:
        pass
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / _MB / (_MB if sys.platform == "darwin" else 1)


def _main(words: str) -> None:
    def say(**told: object) -> None:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()

    made = simulate(Settings(**json.loads(words)), lambda text: say(told=text))
    say(
        requests=made.requests, upstream=made.upstream.tolist(), waits=made.waits.tolist(),
        settled=made.settled, expected=made.expected, taken_s=made.taken_s, peak_mb=made.peak_mb,
    )  # fmt: skip


if __name__ == "__main__":
    _main(sys.argv[1])
