"""Many runs: contestants side by side, or one breaker with two of its settings varied."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from plantid_core.lab import sweep as sweeps
from plantid_core.lab.breaker_sim.protection import BadProtection, Protection
from plantid_core.lab.breaker_sim.simulation import OutcomeRow, outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from threading import Event

    from plantid_core.lab.breaker_sim.scenario import Scenario

    Tell = Callable[[sweeps.Progress], None]
    Job = tuple[Protection, Scenario, int]


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting that can be swept: what a reader knows it by, its unit, and values worth a look."""

    name: str
    title: str
    unit: str
    choices: tuple[float, ...]

    @property
    def heading(self) -> str:
        """Return the title with the unit."""
        return f"{self.title}, {self.unit}" if self.unit else self.title

    def at(self, value: float) -> str:
        """Return the setting at a value, in words."""
        return f"{self.title} {value:g} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Outcome:
    """A figure of a run, and how a reader is told of it; ``low_is_good`` which way it is better."""

    name: str
    title: str
    unit: str
    low_is_good: bool = True


AXES = {
    axis.name: axis
    for axis in (
        Axis("fail_max", "failures in a row", "", (1, 2, 3, 5, 8, 12, 20)),
        Axis("reset_timeout", "open for", "s", (1, 2, 5, 10, 20, 40, 60)),
        Axis("failure_rate", "failure rate", "", (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)),
        Axis("slow_rate", "slow rate", "", (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)),
        Axis("slow_call_s", "slow from", "s", (0.8, 1, 1.5, 2, 3, 4)),
        Axis("window_s", "window", "s", (2, 5, 10, 20, 40, 60)),
        Axis("minimum_calls", "least calls", "", (5, 10, 20, 40, 80, 160)),
        Axis("permitted_probes", "probes", "", (1, 2, 3, 5, 8)),
    )
}
OUTCOMES = {
    figure.name: figure
    for figure in (
        Outcome("bad_calls_sent", "bad calls sent", "calls"),
        Outcome("good_calls_refused", "good calls refused", "calls"),
        Outcome("time_to_open_s", "time to open", "s"),
        Outcome("time_to_recover_s", "time to recover", "s"),
        Outcome("availability", "answered in time", "%", low_is_good=False),
        Outcome("latency_mean_s", "mean wait", "s"),
        Outcome("upstream_calls", "calls upstream", "calls"),
    )
}
_WHOLE = frozenset({"fail_max", "minimum_calls", "permitted_probes"})


def jobs(
    protection: Protection,
    axes: Mapping[str, Sequence[float]],
    scenario: Scenario,
    seeds: Iterable[int],
) -> list[Job]:
    """Return the runs of a sweep: every point of the axes with every seed. Raises `BadProtection`."""
    for name in axes:
        if name not in AXES:
            raise BadProtection(f"{name!r} cannot be swept; use one of {', '.join(AXES)}.")
    points = [dict(zip(axes, at, strict=True)) for at in itertools.product(*axes.values())]
    return [
        (_at(protection, point), scenario, seed)
        for point, seed in itertools.product(points, list(seeds))
    ]


def _at(protection: Protection, point: Mapping[str, float]) -> Protection:
    values = {name: int(at) if name in _WHOLE else float(at) for name, at in point.items()}
    changed: Protection = replace(protection, **values)  # type: ignore[arg-type]  # named in AXES
    return changed


def sweep(
    protection: Protection,
    axes: Mapping[str, Sequence[float]],
    scenario: Scenario,
    seeds: Sequence[int],
    *,
    tell: Tell | None = None,
    scheduler: str | None = None,
    stop: Event | None = None,
) -> pd.DataFrame:
    """Return a row a run, with the axes' values before its figures; fewer where it was stopped.

    Raises `BadProtection`, and what `plantid_core.lab.sweep.run` raises but `SweepStopped`: then the rows
    are those of the runs that had ended.
    """
    wanted = jobs(protection, axes, scenario, seeds)
    try:
        found = sweeps.run(outcome, wanted, tell=tell, scheduler=scheduler, stop=stop)
        rows: dict[int, object] = dict(enumerate(found))
    except sweeps.SweepStopped as stopped:
        rows = stopped.finished
    return pd.DataFrame(
        [
            {**{name: getattr(wanted[number][0], name) for name in axes}, **_row(rows[number])}
            for number in sorted(rows)
        ]
    )


def _row(found: object) -> dict[str, object]:
    return dict(found) if isinstance(found, dict) else {}


def compare(
    protections: Iterable[Protection], scenarios: Iterable[Scenario], seeds: Iterable[int]
) -> pd.DataFrame:
    """Return a row of figures for each contestant in each scenario and seed, made in this process."""
    rows: list[OutcomeRow] = [
        outcome(protection, scenario, seed)
        for scenario, protection, seed in itertools.product(
            list(scenarios), list(protections), list(seeds)
        )
    ]
    return pd.DataFrame(rows)
