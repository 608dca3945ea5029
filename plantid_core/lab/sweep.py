"""Many independent runs: on every core of this machine, or on a Dask cluster, with the same results.

Each job is told its seed, and none knows of the others, so where and in which order they run changes
nothing. Locally the jobs go to worker processes of joblib (loky), which import the job by its name and
never run the caller's own script again; on a cluster each worker must have this package installed.
"""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, fields, replace
from threading import Event
from typing import TYPE_CHECKING, TypeVar, cast

from plantid_core.cluster import connect
from plantid_core.errors import PlantIDError
from plantid_core.lab.workload import BadWorkload, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    import pandas as pd

    from plantid_core.lab.simulate import Engine

    Tell = Callable[["Progress"], None]

T = TypeVar("T")

MOST_JOBS = 100_000
# What a workload's axis may be called, beside the fields that hold a number.
LOAD, DELTA = "load", "delta_s"
_WHOLE = frozenset({"keys", "processes"})
_NO_NUMBER = frozenset({"arrivals", "recompute"})
AXES = (
    *(field.name for field in fields(Workload) if field.name not in _NO_NUMBER),
    LOAD,
    DELTA,
)


class SweepStopped(PlantIDError):
    """The sweep was stopped; ``finished`` has the results so far by the number of their job."""

    def __init__(self, total: int, finished: dict[int, object]) -> None:
        super().__init__(f"Stopped after {len(finished):,} of {total:,} runs.")
        self.total, self.finished = total, finished


class SweepTooLarge(PlantIDError):
    """More runs were asked for than one sweep may have."""

    def __init__(self, asked: int) -> None:
        super().__init__(
            f"A sweep may have {MOST_JOBS:,} runs; these settings make {asked:,}. Take fewer values."
        )
        self.limit, self.asked = MOST_JOBS, asked


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is; seconds."""

    done: int
    total: int
    elapsed_s: float
    left_s: float

    @property
    def rate(self) -> float:
        """Return the runs finished per second."""
        return self.done / self.elapsed_s if self.elapsed_s > 0 else 0.0


def run(
    job: Callable[..., T],
    jobs: Sequence[tuple[object, ...]],
    *,
    tell: Tell | None = None,
    scheduler: str | None = None,
    stop: Event | None = None,
) -> list[T]:
    """Return ``job(*arguments)`` for each tuple of arguments, in their order.

    ``scheduler`` is the address of a Dask scheduler (``tcp://host:8786``); None uses this machine's
    cores. ``tell`` hears of every run that ends. Raises `SweepStopped` once ``stop`` is set,
    `SweepTooLarge`, `plantid_core.cluster.ClusterUnavailable`, and what a job raises.
    """
    if len(jobs) > MOST_JOBS:
        raise SweepTooLarge(len(jobs))
    if not jobs:
        return []
    ended = _on_cores(job, jobs) if scheduler is None else _on_cluster(job, jobs, scheduler)
    finished: dict[int, T] = {}
    begin = time.monotonic()
    try:
        for number, result in ended:
            finished[number] = result
            if tell is not None:
                tell(_progress(len(finished), len(jobs), time.monotonic() - begin))
            if stop is not None and stop.is_set() and len(finished) < len(jobs):
                raise SweepStopped(len(jobs), cast("dict[int, object]", finished))
    finally:
        ended.close()
    return [finished[number] for number in range(len(jobs))]


def _progress(done: int, total: int, elapsed_s: float) -> Progress:
    return Progress(done, total, elapsed_s, elapsed_s / done * (total - done))


def _numbered(number: int, job: Callable[..., T], arguments: tuple[object, ...]) -> tuple[int, T]:
    return number, job(*arguments)


def _on_cores(
    job: Callable[..., T], jobs: Sequence[tuple[object, ...]]
) -> Generator[tuple[int, T]]:
    from joblib import Parallel, delayed  # type: ignore[import-untyped]

    over = Event()
    numbered = delayed(_numbered)
    calls = (
        numbered(number, job, arguments)
        for number, arguments in enumerate(jobs)
        if not over.is_set()
    )
    # One job alone would not repay the start of a worker.
    workers = 1 if len(jobs) == 1 else min(len(jobs), _cores())
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
    ended = cast("Iterator[tuple[int, T]]", parallel(calls))
    try:
        # Not ``yield from``: that would close the workers' end first.
        for number, result in ended:  # noqa: UP028
            yield number, result
    except GeneratorExit:
        # No more are begun, and those under way are let end: their workers serve the next sweep.
        over.set()
        for _ in ended:
            pass
        raise


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())


def _on_cluster(
    job: Callable[..., T], jobs: Sequence[tuple[object, ...]], address: str
) -> Generator[tuple[int, T]]:
    client = connect(address)
    from distributed import as_completed

    with client:
        futures = [
            client.submit(_numbered, number, job, arguments, pure=False)
            for number, arguments in enumerate(jobs)
        ]
        try:
            ended = as_completed(  # type: ignore[no-untyped-call]
                futures, loop=client.loop
            )
            for future in ended:
                yield future.result()
        finally:
            client.cancel(futures)  # type: ignore[no-untyped-call]


def grid(  # noqa: PLR0913 - what is swept, and how the sweep is run
    workload: Workload,
    strategies: Sequence[str],
    axes: Mapping[str, Sequence[float]],
    seeds: Sequence[int],
    *,
    engine: Engine = "fast",
    tell: Tell | None = None,
    scheduler: str | None = None,
    stop: Event | None = None,
) -> pd.DataFrame:
    """Return one row a strategy, point of the axes and seed: the axes' values, then the run's figures.

    An axis is a field of `Workload` that holds a number, ``load`` (λΔ of the most popular key) or
    ``delta_s`` (the mean recompute time). Raises `BadWorkload` before anything runs, and what `run`
    raises.
    """
    import pandas as pd

    points = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    if (asked := len(points) * len(strategies) * len(seeds)) > MOST_JOBS:
        raise SweepTooLarge(asked)
    jobs = [
        (strategy, at(workload, point), seed, engine)
        for point, strategy, seed in itertools.product(points, strategies, seeds)
    ]
    rows = run(_figures, jobs, tell=tell, scheduler=scheduler, stop=stop)
    places = [point for point, *_ in itertools.product(points, strategies, seeds)]
    return pd.DataFrame([{**place, **row} for place, row in zip(places, rows, strict=True)])


def at(workload: Workload, point: Mapping[str, float]) -> Workload:
    """Return the workload with the point's settings; raises `BadWorkload`."""
    for name in point:
        if name not in AXES:
            raise BadWorkload("an axis", name, f"one of {', '.join(AXES)}")
    if LOAD in point and "rate" in point:
        raise BadWorkload("an axis", "load beside rate", "one of the two: the load sets the rate")
    known = {name: _number(name, value) for name, value in point.items()}
    own: dict[str, object] = {
        name: int(value) if name in _WHOLE else value
        for name, value in known.items()
        if name not in {LOAD, DELTA}
    }
    if DELTA in point:
        own["recompute"] = replace(workload.recompute, mean_s=known[DELTA])
    changed: Workload = replace(workload, **own)  # type: ignore[arg-type]  # named in AXES
    return changed.with_load(known[LOAD]) if LOAD in point else changed


def _number(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # what else it may be is refused
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or (name in _WHOLE and number != int(number)):
        raise BadWorkload(name, value, "a whole number" if name in _WHOLE else "a number")
    return number


def _figures(strategy: str, workload: Workload, seed: int, engine: Engine) -> dict[str, object]:
    from plantid_core.lab import simulate

    record = simulate.run(strategy, workload, seed, engine=engine)
    return {str(name): value for name, value in record.summary().iloc[0].items()}
