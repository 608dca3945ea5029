"""What the fast engine takes at most, told before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from plantid_core.lab.simulate.fast_arrivals import Load
    from plantid_core.lab.workload import Floats

# A second of the run is a number in memory, twice over.
MOST_SECONDS: Final = 10_000_000
MOST_REQUESTS: Final = 1e12
# Each takes a fraction of a microsecond, among very many keys up to one.
MOST_EVENTS: Final = 5e7


class RunTooLarge(PlantIDError):
    """More than a run may have: ``value`` of what has the ``limit``."""

    def __init__(self, what: str, value: float, limit: float, advice: str) -> None:
        super().__init__(
            f"A run of the fast engine has at most {limit:,.0f} {what}; these settings make some"
            f" {value:,.0f}. {advice}"
        )
        self.what, self.value, self.limit, self.advice = what, value, limit, advice

    def __reduce__(self) -> tuple[type[RunTooLarge], tuple[str, float, float, str]]:
        """Let it come back from a worker process."""
        return RunTooLarge, (self.what, self.value, self.limit, self.advice)


def require_length(duration_s: float) -> None:
    """Raise `RunTooLarge` where a run lasts longer than `MOST_SECONDS`."""
    if duration_s > MOST_SECONDS:
        raise RunTooLarge("seconds", duration_s, MOST_SECONDS, "Shorten the duration.")


def require_work(load: Load, share: Floats) -> None:
    """Raise `RunTooLarge` where drawn traffic would be more than `MOST_REQUESTS` or `MOST_EVENTS`."""
    if load.replay:
        return
    offered = float(load.grid[1, -1])
    if offered > MOST_REQUESTS:
        raise RunTooLarge("requests", offered, MOST_REQUESTS, "Lower the rate or the duration.")
    if (made := events(load, share)) > MOST_EVENTS:
        raise RunTooLarge(
            "calls and waits", made, MOST_EVENTS,
            "Lower the rate, the duration or the recompute time, or raise the TTL.",
        )  # fmt: skip


def events(load: Load, share: Floats) -> float:
    """Return about how many requests of a run will not be mere hits.

    Of each expiry that nobody foresaw, as of the empty cache's, these are 1 + λΔ/(1 - failures); where β lets
    somebody be early, a chance of e^(-λβΔ) remains that nobody is, and XFetch makes e^(1/β) calls, or more
    where the value is due for recomputation at its birth (see `plantid_core.lab.theory`, V).
    """
    rates = share * (float(load.grid[1, -1]) / load.duration)
    asked = rates * load.duration
    some = np.maximum(rates, np.finfo(float).tiny)
    made_s = load.mean / max(1.0 - load.fail_rate, 1e-9)
    crowd = rates * made_s
    scale = load.beta * load.mean
    lead_s, calls = np.zeros_like(rates), crowd
    if scale > 0:
        lead_s = scale * (np.log(np.maximum(rates * scale, 1.0)) + 1.0)
        due = 1 + rates * scale * np.exp(-load.soft / scale)
        early = np.minimum(crowd, 1 + due * np.expm1(min(1 / load.beta, 50.0)))
        calls = early + np.exp(-rates * scale) * crowd
    lasting_s = np.maximum(load.soft * (1 - load.jitter / 2) - lead_s, 0.0)
    cycles = load.duration / (lasting_s + made_s + 1 / some)
    return float(np.minimum(asked, crowd + (1 + calls) * cycles).sum())
