"""Situations worth simulating, by name: each with its story, its traffic, and who is put to it."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from plantid_core.lab import sweep
from plantid_core.lab.workload import Recompute, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from plantid_core.lab.record import Record
    from plantid_core.lab.simulate import Engine

    Tell = Callable[[sweep.Progress], None]

Kind = Literal["traffic", "internet", "theory", "breaker"]

_PAIR: Final = ("xfetch", "lease")
_USUAL: Final = ("none", "redis-lock", "xfetch", "coalesce", "lease")
_BREAKER_SEEDS: Final = 5


@dataclass(frozen=True, slots=True)
class Scenario:
    """``story`` says in a sentence what happens; ``axes`` are swept, each with these values.

    ``traffic`` is requests to a cache. ``internet`` has a million keys, ``theory`` compares with closed
    forms, ``breaker`` has a service that falls ill: these have settings of their own.
    """

    name: str
    title: str
    story: str
    workload: Workload = field(default_factory=Workload)
    strategies: tuple[str, ...] = _USUAL
    axes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    kind: Kind = "traffic"


_BUSY = Workload(rate=100, ttl_s=60, recompute=Recompute(0.2), duration_s=6000)
SCENARIOS: Final = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "one-key",
            "One popular key",
            "A hundred people a second ask for the same plant, which takes 0.2 s to look up.",
            _BUSY,
        ),
        Scenario(
            "flash-crowd",
            "A flash crowd",
            "A photo is shared: within a moment twenty times as many people ask, then fewer and fewer.",
            replace(_BUSY, arrivals="flash", burst=20, burst_s=30, keys=20, rate=50),
        ),
        Scenario(
            "bursty",
            "Bursts",
            "Quiet spells, and busy ones five times as busy, at random.",
            replace(_BUSY, arrivals="bursty", keys=20),
        ),
        Scenario(
            "diurnal",
            "Day and night",
            "Traffic swings from a fifth of its mean to almost twice that and back.",
            replace(_BUSY, arrivals="diurnal", keys=20, duration_s=1200, period_s=600),
        ),
        Scenario(
            "beta-sweep",
            "How early is early enough",
            "The same key with β from never early to very early.",
            _BUSY,
            _PAIR,
            {"beta": (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)},
        ),
        Scenario(
            "load-sweep",
            "From a quiet key to a storm",
            "The load λΔ, requests per recompute time, from one in ten to a thousand.",
            replace(_BUSY, duration_s=300, ttl_s=20),
            _USUAL,
            {"load": (0.1, 1.0, 10.0, 100.0, 1000.0)},
        ),
        Scenario(
            "internet",
            "A million keys",
            "A hundred thousand requests a second on a million keys of Zipf popularity, for hours.",
            strategies=_PAIR,
            kind="internet",
        ),
        Scenario(
            "theory",
            "Beside the closed forms",
            "XFetch simulated, and what Vattani, Chierichetti and Lowenstein proved of it.",
            strategies=("xfetch",),
            kind="theory",
        ),
        Scenario(
            "outage",
            "A service goes down",
            "For a minute every call fails: what does a breaker spare, and what does it cost?",
            strategies=(),
            kind="breaker",
        ),
        Scenario(
            "brownout",
            "A service drags on",
            "For a minute calls are slow, and some fail.",
            strategies=(),
            kind="breaker",
        ),
        Scenario(
            "flapping",
            "A service comes and goes",
            "Seconds of failure and seconds of health by turns.",
            strategies=(),
            kind="breaker",
        ),
    )
}


def run(
    scenario: Scenario,
    seed: int,
    *,
    engine: Engine = "fast",
    tell: Tell | None = None,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Return the scenario's rows: one a strategy and point of its axes, or a closed form, or a breaker.

    Rows of traffic are of the `warm` record. A column ``holds``, where there is one, tells whether the
    row's check holds. Raises `PlantIDError`.
    """
    if scenario.kind == "internet":
        return _internet(scenario.strategies, seed, tell)
    if scenario.kind == "theory":
        from plantid_core.lab import theory

        return theory.confirm(seed)
    if scenario.kind == "breaker":
        return _breaker(scenario.name, seed, tell, scheduler)
    return _traffic(scenario, seed, engine, tell, scheduler)


def warm(record: Record) -> Record:
    """Return the record without the first expiry of each key, which is the empty cache's.

    Its crowd says nothing of a strategy that keeps a value fresh. Calls and waits stay as they were.
    """
    return replace(record, expiries=record.expiries[record.expiries.duplicated("key")])


def _traffic(
    scenario: Scenario, seed: int, engine: Engine, tell: Tell | None, scheduler: str | None
) -> pd.DataFrame:
    import pandas as pd

    points = [
        dict(zip(scenario.axes, values, strict=True))
        for values in itertools.product(*scenario.axes.values())
    ]
    jobs = [
        (point, strategy, sweep.at(scenario.workload, point), seed, engine)
        for point, strategy in itertools.product(points, scenario.strategies)
    ]
    if engine == "faithful":
        _require_few([workload for _, _, workload, *_ in jobs])
    return pd.DataFrame(sweep.run(_figures, jobs, tell=tell, scheduler=scheduler))


def _require_few(workloads: Sequence[Workload]) -> None:
    from plantid_core.lab.simulate.faithful import MOST_REQUESTS, TooManyRequests

    # Before they are drawn: that alone would fill the memory.
    most = max(
        load.profile(np.random.default_rng(1)).mean() * load.duration_s for load in workloads
    )
    if most > MOST_REQUESTS:
        raise TooManyRequests(round(most))


def _figures(
    point: Mapping[str, float], strategy: str, workload: Workload, seed: int, engine: Engine
) -> dict[str, object]:
    from plantid_core.lab import simulate

    record = warm(simulate.run(strategy, workload, seed, engine=engine))
    return {**point, **{str(key): value for key, value in record.summary().iloc[0].items()}}


def checks_hold(rows: pd.DataFrame) -> bool:
    """Tell whether every row that is a check holds."""
    return "holds" not in rows or bool(rows["holds"].all())


def _internet(strategies: Sequence[str], seed: int, tell: Tell | None) -> pd.DataFrame:
    import pandas as pd

    from plantid_core.lab import internet

    rows = []
    begin = time.monotonic()
    for number, strategy in enumerate(strategies, start=1):
        found = internet.run(strategy, seed=seed)
        rows.append(
            {
                "strategy": strategy,
                "seed": seed,
                "requests": found.requests,
                "calls": found.calls,
                "upstream_peak_per_s": int(found.upstream.max()),
                "wait_p999_s": found.wait_s(0.999),
                "off_theory_percent": 100 * found.difference,
                "taken_s": found.taken_s,
                "peak_mb": found.peak_mb,
            }
        )
        took = time.monotonic() - begin
        if tell is not None:
            left = took / number * (len(strategies) - number)
            tell(sweep.Progress(number, len(strategies), took, left))
    return pd.DataFrame(rows)


def _breaker(name: str, seed: int, tell: Tell | None, scheduler: str | None) -> pd.DataFrame:
    import pandas as pd

    from plantid_core.lab import breaker_sim

    jobs = [
        (protection, breaker_sim.SCENARIOS[name], seed + number)
        for protection in breaker_sim.CONTESTANTS.values()
        for number in range(_BREAKER_SEEDS)
    ]
    rows = sweep.run(breaker_sim.outcome, jobs, tell=tell, scheduler=scheduler)
    return pd.DataFrame(rows)


def plain(rows: pd.DataFrame) -> list[dict[str, object]]:
    """Return rows of plain values for JSON: None for what is no number."""
    return [
        {str(name): _plain(value) for name, value in row.items()}
        for row in rows.to_dict(orient="records")
    ]


def _plain(value: object) -> object:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
