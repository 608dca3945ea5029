"""Do the two engines agree? Random settings, both engines, and how far apart their figures are.

Each figure is compared by Welch's t test over runs of different seeds, told as a normal deviate z. Of
engines that agree, z² summed over independent settings follows a χ² distribution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from scipy import stats

from plantid_core.lab.simulate import faithful, fast
from plantid_core.lab.workload import Recompute, Workload
from plantid_core.resilience import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Floats

    Run: TypeAlias = Callable[[str, Workload, int], Record]

_RUNS = 16
_REQUESTS = 1500
# Figures that are the same in every run, but for rounding, have no deviation to be measured by.
_SAME = 1e-6


def settings(count: int, seed: int) -> list[tuple[str, Workload]]:
    """Return so many strategies and workloads, drawn; every strategy comes up in turn."""
    rng = np.random.default_rng(seed)
    return [(NAMES[place % len(NAMES)], _drawn(rng)) for place in range(count)]


def _drawn(rng: np.random.Generator) -> Workload:
    rate, ttl_s = float(rng.uniform(10, 120)), float(rng.uniform(1, 6))
    keys = int(rng.choice([1, 1, 4]))
    recompute = Recompute(
        # A few take seconds: then those who wait give up, or queue anew.
        float(rng.choice([rng.uniform(0.02, 0.3)] * 4 + [rng.uniform(1.0, 4.0)])),
        rng.choice(["constant", "exponential", "lognormal"]),
    )
    return Workload(
        rate=rate,
        duration_s=max(_REQUESTS / rate, 6 * ttl_s),
        arrivals=rng.choice(["poisson", "poisson", "bursty", "diurnal", "flash"]),
        burst_s=3.0,
        period_s=20.0,
        keys=keys,
        zipf_s=float(rng.uniform(0, 1.5)),
        ttl_s=ttl_s,
        soft_ttl_s=float(rng.choice([ttl_s, ttl_s * rng.uniform(0.4, 0.95)])),
        jitter=float(rng.choice([0.0, 0.2])),
        beta=float(rng.choice([0.5, 1.0, 2.0])),
        recompute=recompute,
        fail_rate=float(rng.choice([0.0, 0.0, 0.3])),
        processes=int(rng.integers(1, 6)),
    )


def figures(record: Record) -> dict[str, float]:
    """Return what is compared: calls an expiry, mean wait, share that waited, mean age."""
    row = record.summary().iloc[0]
    requests = record.requests
    weights = requests["weight"]
    known = requests["age_s"].notna()
    return {
        "calls an expiry": float(row["calls"] / max(row["expiries"], 1)),
        "wait_s": float(np.average(requests["wait_s"], weights=weights)),
        "waited": float(row["waited_share"]),
        "failed": float(row["failed_share"]),
        "age_s": float(np.average(requests["age_s"][known], weights=weights[known]))
        if known.any()
        else float("nan"),
    }


def deviations(
    count: int = 30, seed: int = 1, *, runs: int = _RUNS, other: Run = fast.run
) -> pd.DataFrame:
    """Return z of every figure of every setting; NaN where it never varies and is the same."""
    rows = []
    for number, (name, workload) in enumerate(settings(count, seed)):
        one = [figures(faithful.run(name, workload, 1000 * number + n)) for n in range(runs)]
        two = [figures(other(name, workload, 1000 * number + 500 + n)) for n in range(runs)]
        for figure in one[0]:
            pair = (np.array([run[figure] for run in runs_of]) for runs_of in (one, two))
            rows.append({"strategy": name, "setting": number, "figure": figure, **_apart(*pair)})
    return pd.DataFrame(rows)


def _apart(one: Floats, two: Floats) -> dict[str, float]:
    means = {"faithful": float(one.mean()), "fast": float(two.mean())}
    if max(one.std(), two.std()) < _SAME * max(1.0, abs(means["fast"])):
        same = abs(means["faithful"] - means["fast"]) < _SAME * max(1.0, abs(means["fast"]))
        return {**means, "z": float("nan") if same else float("inf")}
    spread = [float(runs.var(ddof=1) / len(runs)) for runs in (one, two)]
    t = abs(means["faithful"] - means["fast"]) / np.sqrt(sum(spread))
    # Welch and Satterthwaite's degrees of freedom.
    free = sum(spread) ** 2 / sum(part**2 / (len(one) - 1) for part in spread)
    # The deviate of a normal distribution that is as rare as this t of its own.
    return {**means, "z": float(stats.norm.isf(stats.t.sf(t, free)))}


def pooled(found: pd.DataFrame) -> pd.Series[float]:
    """Return, by figure, how likely a sum of z² at least so great is of engines that agree."""
    known = found.dropna(subset="z")
    squares = known.assign(square=known["z"] ** 2).groupby("figure")["square"]
    return squares.agg(lambda one: float(stats.chi2.sf(one.sum(), len(one))))
