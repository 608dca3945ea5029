"""The fast engine: every strategy as a model of its own, in compiled code, event by event.

Each key is simulated exactly, for a network that takes no time, without looking at the requests that find
a value that nobody makes anew: those are only counted. What the faithful engine has, and this one not:
that a process refreshes at most four keys at once behind its callers (``lease``), that computations beyond
two minutes lose their lease, and milliseconds cut off a TTL.

Every call, expiry and request that was not a mere hit is kept, up to `MOST_ROWS` rows a table; beyond that
each table is a fair sample (``upstream`` is always exact). Of hits about ``sample`` rows are kept, with
their weight. An answer is stale where its value was older than the soft TTL, whichever strategy gave it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.errors import PlantIDError
from plantid_core.lab.record import CALLS, EXPIRIES, REQUESTS, UPSTREAM, Record, table
from plantid_core.lab.simulate.fast_limits import require_length, require_work
from plantid_core.lab.workload import SPREADS
from plantid_core.resilience.strategies import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from plantid_core.lab.simulate.fast_arrivals import Ints, Load
    from plantid_core.lab.simulate.fast_rows import Out
    from plantid_core.lab.workload import Floats, Requests, Workload

MOST_ROWS = 1_000_000
_HOW_LONG_S = 60.0
_SEED_HOW_LONG_S = 35.0
# As long as a waiter sleeps at most before it looks at the lock, and queues anew.
_NAP_S = 1.0


class UnknownStrategy(PlantIDError):
    """There is no strategy of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no strategy {name!r}; use one of {', '.join(NAMES)}.")
        self.name = name


class BadRequests(PlantIDError):
    """Requests that cannot be replayed."""


@dataclass(frozen=True, slots=True)
class _Model:
    """Which kernel, and which settings the strategy looks at."""

    kind: int
    early: bool = False
    jitter: bool = True
    patience_s: float = np.inf
    nap_s: float = np.inf


@dataclass(frozen=True, slots=True)
class _Limits:
    """Rows to keep at most: of calls and of slow requests each, of expiries, and about so many hits."""

    rows: int
    expiries: int
    hits: int


def _models() -> dict[str, _Model]:
    from plantid_core.lab.simulate import fast_kernels as kernels

    seed = _Model(kernels.ALONE, jitter=False)
    return {
        "none": _Model(kernels.ALONE),
        "xfetch": _Model(kernels.ALONE, early=True),
        "redis-lock": _Model(kernels.LOCKED, patience_s=_HOW_LONG_S, nap_s=_NAP_S),
        "xfetch+lock": _Model(kernels.LOCKED, early=True, patience_s=_HOW_LONG_S, nap_s=_NAP_S),
        "redlock": _Model(kernels.POLLED, patience_s=_HOW_LONG_S),
        "coalesce": _Model(kernels.COALESCED, patience_s=_HOW_LONG_S),
        "lease": _Model(kernels.LEASED, early=True),
        "seed-lock": replace(seed, kind=kernels.LOCKED, patience_s=_SEED_HOW_LONG_S),
        # Its random term has the wrong sign: whatever β, it is never early.
        "seed-early": seed,
        "seed-coalesce": replace(seed, kind=kernels.KEPT_PENDING),
        "seed-combined": replace(seed, kind=kernels.COMBINED, patience_s=_SEED_HOW_LONG_S),
    }


def run(
    strategy: str,
    workload: Workload,
    seed: int,
    *,
    requests: Requests | None = None,
    sample: int = 20_000,
) -> Record:
    """Return one run; ``requests`` replays given ones, in the order of their times.

    Keeps about ``sample`` rows of hits. Raises `UnknownStrategy`, `BadRequests` and `RunTooLarge`.
    """
    out, load = _simulated(
        strategy, workload, seed, _Limits(MOST_ROWS, MOST_ROWS, sample), requests
    )
    return _record(strategy, replace(workload, duration_s=load.duration), seed, out)


def _simulated(
    strategy: str, workload: Workload, seed: int, limits: _Limits, requests: Requests | None = None
) -> tuple[Out, Load]:
    from plantid_core.lab.simulate import fast_kernels as kernels

    if strategy not in NAMES:
        raise UnknownStrategy(strategy)
    require_length(max(workload.duration_s, 0.0 if requests is None else requests.duration_s))
    model = _models()[strategy]
    load, share, first = _load(model, workload, seed, requests, limits.hits)
    require_work(load, share)
    slots = len(share) if model.kind == kernels.COMBINED else 1
    out = _out(slots, load.duration, limits)
    kernels.run(load, out, share, first, _seed(seed, NAMES.index(strategy)))
    return out, load


def _seed(seed: int, stream: int) -> int:
    return int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])


def _load(
    model: _Model, workload: Workload, seed: int, requests: Requests | None, sample: int
) -> tuple[Load, Floats, Ints]:
    from plantid_core.lab.simulate.fast_arrivals import Load

    share, duration = workload.popularity(), workload.duration_s
    times, first = np.zeros(0), np.zeros(len(share) + 1, np.int64)
    if requests is None:
        # The same spells of traffic for every strategy of a seed.
        profile = workload.profile(np.random.default_rng(np.random.SeedSequence([seed, 0])))
        edges, rates = profile.edges, profile.rates
        expected = float(np.sum(rates * np.diff(edges)))
    else:
        times, first = _replayed(requests)
        share = np.full(len(first) - 1, 1.0)
        duration = max(duration, float(np.nextafter(requests.duration_s, np.inf)))
        edges, rates = np.array([0.0, duration]), np.array([1.0])
        expected = float(len(times))
    below = np.concatenate([[0.0], np.cumsum(rates * np.diff(edges))])
    grid = np.array([edges, below, np.append(rates, 0.0)], np.float64)
    recompute = workload.recompute
    load = Load(
        grid=grid, times=times, steps=len(rates), replay=requests is not None,
        kind=model.kind, processes=workload.processes, spread=SPREADS.index(recompute.spread),
        duration=float(duration), ttl=float(workload.ttl_s), soft=float(workload.soft_s),
        jitter=float(workload.jitter) if model.jitter else 0.0,
        beta=float(workload.beta) if model.early else 0.0,
        mean=float(recompute.mean_s), sigma=float(recompute.sigma),
        fail_rate=float(workload.fail_rate), patience=float(model.patience_s),
        nap=float(model.nap_s),
        keep=min(1.0, sample / max(expected, 1.0)),
    )  # fmt: skip
    return load, share, first


def _replayed(requests: Requests) -> tuple[Floats, Ints]:
    times, keys = np.asarray(requests.times_s, np.float64), np.asarray(requests.keys, np.int64)
    if times.ndim != 1 or times.shape != keys.shape:
        raise BadRequests(
            f"times and keys must be as many; they are {times.shape} and {keys.shape}."
        )
    if len(times) == 0:
        raise BadRequests("there is no request to replay.")
    if not (np.isfinite(times).all() and times[0] >= 0 and (np.diff(times) >= 0).all()):
        raise BadRequests("times must be in order, from 0 on.")
    if keys.min() < 0:
        raise BadRequests(f"keys must be from 0 on; one is {keys.min()}.")
    order = np.argsort(keys, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(keys))]).astype(np.int64)
    return times[order], first


def _out(slots: int, duration: float, limits: _Limits) -> Out:
    from plantid_core.lab.simulate.fast_rows import BOOK, COLUMNS, KEPT, Out

    seconds = max(1, int(np.ceil(duration)))
    # Twice the rows that are expected: a Poisson number never comes near that.
    hits = 2 * limits.hits + 100
    return Out(
        calls=np.empty((limits.rows, COLUMNS)), expiries=np.empty((limits.expiries, COLUMNS)),
        slow=np.empty((limits.rows, COLUMNS)), hits=np.empty((hits, COLUMNS)),
        upstream=np.zeros(seconds, np.int64),
        book=np.concatenate([np.zeros(KEPT), np.ones(4), np.zeros(BOOK - KEPT - 4)]),
        open=np.zeros((slots, COLUMNS + 1)),
    )  # fmt: skip


def _rows(out: Out, which: int) -> Floats:
    """Return the used rows of a table, (n, 6)."""
    from plantid_core.lab.simulate.fast_rows import COUNT

    tables = out.calls, out.expiries, out.slow, out.hits
    return tables[which][: int(out.book[COUNT + which])]


def _asked(out: Out, soft_s: float) -> tuple[Floats, Floats]:
    """Return the rows of requests, (n, 6), and their weights, (n,): all together the number offered."""
    from plantid_core.lab.simulate.fast_rows import HIT, HITS, SEEN, SLOW, STALE

    slow, hits = _rows(out, SLOW), _rows(out, HITS)
    weights = [
        np.full(len(rows), out.book[SEEN + which] / max(1, len(rows)))
        for which, rows in ((SLOW, slow), (HITS, hits))
    ]
    rows = np.concatenate([slow, hits])
    at_once = rows[:, 4] <= STALE
    rows[at_once, 4] = np.where(rows[at_once, 5] > soft_s, STALE, HIT)
    return rows, np.concatenate(weights)


def _record(strategy: str, workload: Workload, seed: int, out: Out) -> Record:
    from plantid_core.lab.simulate.fast_rows import CALLS as CALL_ROWS
    from plantid_core.lab.simulate.fast_rows import EXPIRIES as EXPIRY_ROWS
    from plantid_core.lab.simulate.fast_rows import HITS, SEEN, SLOW

    rows, weight = _asked(out, workload.soft_s)
    order = np.argsort(rows[:, 0], kind="stable")
    rows, weight = rows[order], weight[order]
    asked = table(
        REQUESTS, t_s=rows[:, 0], key=rows[:, 1], process=rows[:, 2], wait_s=rows[:, 3],
        how=rows[:, 4].astype(np.int64), age_s=rows[:, 5], weight=weight,
    )  # fmt: skip
    calls = _by_time(_rows(out, CALL_ROWS))
    made = _by_time(_rows(out, EXPIRY_ROWS))
    return Record(
        strategy, "fast", workload, seed, int(out.book[SEEN + SLOW] + out.book[SEEN + HITS]), asked,
        table(CALLS, **dict(zip(CALLS, (calls[:, 0], calls[:, 1], *calls[:, 2:].T), strict=True))),
        table(EXPIRIES, **dict(zip(EXPIRIES, made.T, strict=True))),
        table(UPSTREAM, second=np.arange(len(out.upstream)), calls=out.upstream),
    )  # fmt: skip


def _by_time(rows: Floats) -> Floats:
    times = rows[:, 0]
    return rows if bool(np.all(times[:-1] <= times[1:])) else rows[np.argsort(times, kind="stable")]


def expiries(
    strategy: str, workload: Workload, seed: int, *, most: int = MOST_ROWS
) -> pd.DataFrame:
    """Return the ``expiries`` of a run alone, in the order of their beginning: for very many of them."""
    from plantid_core.lab.simulate.fast_rows import EXPIRIES as EXPIRY_ROWS

    out, _ = _simulated(strategy, workload, seed, _Limits(1, most, 0))
    made = _by_time(_rows(out, EXPIRY_ROWS))
    return table(EXPIRIES, **dict(zip(EXPIRIES, made.T, strict=True)))


def warm_up() -> None:
    """Compile every kernel, or load what was compiled before; safe to call in any thread, and again.

    Takes some 20 s the first time on a machine, and under a second from then on.
    """
    from plantid_core.lab.workload import Workload

    with _WARMING:
        for name in NAMES:
            _simulated(name, Workload(rate=10.0, duration_s=1.0), 0, _Limits(10, 10, 10))


_WARMING = threading.Lock()


def curve(
    strategies: Sequence[str],
    workload: Workload,
    loads: Sequence[float],
    seed: int,
    expiries: int = 300,
) -> pd.DataFrame:
    """Return how each strategy does against λΔ of its most popular key; one row a strategy and load.

    Each run is as long as that key needs for about so many ``expiries``; for fewer where a strategy lets
    every request of a crowd be an event, and the crowd is so large that few tell its size well.

    Columns are those of `Record.summary`; they are:
    strategy, load, expiries, calls_per_expiry, stampede_largest, waiters_per_expiry, wait_p50_s,
    wait_p99_s, wait_p999_s, wait_longest_s, stale_share, failed_share, age_mean_s, wasted_early.
    Raises `UnknownStrategy` and `RunTooLarge`.
    """
    from concurrent.futures import ThreadPoolExecutor

    import pandas as pd

    for name in strategies:
        if name not in NAMES:
            raise UnknownStrategy(name)
    models = _models()
    points = [(name, load) for name in strategies for load in loads]

    def point(place: int) -> dict[str, object]:
        name, load = points[place]
        at = workload.with_load(load)
        cycle_s = at.soft_s + at.recompute.mean_s * (1 + 1 / load)
        most = expiries if models[name].early else max(30, round(_CURVE_EVENTS / load))
        lasting = replace(at, duration_s=min(expiries, most) * cycle_s)
        out, _ = _simulated(
            name, lasting, seed, _Limits(_CURVE_ROWS, 10 * expiries + 1000, _CURVE_HITS)
        )
        return {"strategy": name, "load": load} | _figures(out, lasting)

    # The kernels let go of the interpreter's lock.
    with ThreadPoolExecutor(2) as pool:
        return pd.DataFrame(list(pool.map(point, range(len(points)))))


_CURVE_ROWS, _CURVE_HITS, _CURVE_EVENTS = 20_000, 1000, 40_000


def _figures(out: Out, workload: Workload) -> dict[str, object]:
    from plantid_core.lab.simulate.fast_rows import EXPIRIES as EXPIRY_ROWS
    from plantid_core.lab.simulate.fast_rows import FAILED, SEEN, STALE

    made = _rows(out, EXPIRY_ROWS)
    rows, weight = _asked(out, workload.soft_s)
    calls, early = made[:, 2], made[:, 5] > 0
    waits = _quantiles(rows[:, 3], weight, (0.5, 0.99, 0.999))
    had, how = ~np.isnan(rows[:, 5]) & (rows[:, 4] <= STALE), rows[:, 4]
    total = max(float(weight.sum()), 1.0)
    return {
        "expiries": int(out.book[SEEN + EXPIRY_ROWS]),
        "calls_per_expiry": float(calls.mean()) if len(made) else np.nan,
        "stampede_largest": int(calls.max(initial=0)),
        "waiters_per_expiry": float(made[:, 3].mean()) if len(made) else np.nan,
        "wait_p50_s": waits[0],
        "wait_p99_s": waits[1],
        "wait_p999_s": waits[2],
        "wait_longest_s": float(made[:, 4].max(initial=0.0)),
        "stale_share": float(weight[how == STALE].sum()) / total,
        "failed_share": float(weight[how == FAILED].sum()) / total,
        "age_mean_s": float(np.average(rows[had, 5], weights=weight[had])) if had.any() else 0.0,
        "wasted_early": int((calls[early] - 1).sum()),
    }


def _quantiles(values: Floats, weight: Floats, at: tuple[float, ...]) -> list[float]:
    if len(values) == 0:
        return [float("nan")] * len(at)
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    places = np.searchsorted(below, np.array(at) * below[-1])
    return [float(values[order[min(place, len(values) - 1)]]) for place in places]
