"""What a live run may ask for: it is to end by itself soon, and never to flood the machine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from plantid_core.lab.live.orders import Ints
    from plantid_core.lab.workload import Floats, Recompute, Requests, Workload

LONGEST_S: Final = 120.0
HIGHEST_RATE: Final = 2000.0
MOST_THREADS: Final = 200
MOST_PROCESSES: Final = 8
LONGEST_RECOMPUTE_S: Final = 10.0

# Threads that send hits while all the others wait.
_SPARE = 8
_MOST_TRIES = 4.0
_HANDLING_S = 0.05
_Z99 = 2.3263478740408398


class TooMuch(PlantIDError):
    """A live run would need more than it may have: ``setting``, its ``value``, and the ``limit``."""

    def __init__(self, setting: str, value: float, limit: float, unit: str) -> None:
        self.setting, self.value, self.limit = setting, value, limit
        super().__init__(
            f"A run on real processes takes at most {limit:g} {unit} ({setting}); this one would need"
            f" {value:g}. Lower it, or simulate."
        )


def check(workload: Workload, requests: Requests) -> None:
    """Raise `TooMuch` where a run would be too long or too dense."""
    asked = (
        ("duration", max(workload.duration_s, requests.duration_s), LONGEST_S, "s"),
        ("rate", peak_rate(workload, requests), HIGHEST_RATE, "requests/s at its peak"),
        ("processes", workload.processes, MOST_PROCESSES, "client processes"),
        ("recompute time", workload.recompute.mean_s, LONGEST_RECOMPUTE_S, "s a recompute"),
    )
    for setting, value, limit, unit in asked:
        if value > limit:
            raise TooMuch(setting, value, limit, unit)


def peak_rate(workload: Workload, requests: Requests) -> float:
    """Return the highest rate in requests/s: as set, or that of the busiest second where it is more.

    A second's count swings by its square root; twice that is no higher rate.
    """
    peaks = {
        "bursty": workload.burst / (0.9 + 0.1 * workload.burst),
        "flash": max(1.0, workload.burst),
        "diurnal": 1.8,
    }
    asked = workload.rate * peaks.get(workload.arrivals, 1.0)
    if not len(requests.times_s):
        return asked
    busiest = float(np.bincount(requests.times_s.astype(np.int64)).max())
    # Five deviations: no Poisson second of a run of two minutes ever has so many.
    return max(asked, busiest) if busiest > asked + 5 * math.sqrt(asked) else asked


def spell_s(recompute: Recompute, fail_rate: float) -> float:
    """Return how long a request may have to wait: a long recompute, and those that failed before."""
    longest = recompute.mean_s
    if recompute.spread != "constant":
        sigma = recompute.sigma
        longest *= math.exp(_Z99 * sigma - sigma**2 / 2)
    tries = min(_MOST_TRIES, 1 / (1 - fail_rate)) if fail_rate < 1 else _MOST_TRIES
    return longest * tries + _HANDLING_S


def threads(times_s: Floats, dealt: Ints, spell: float, asked: int | None) -> int:
    """Return how many threads a process needs, so that no request waits for a thread.

    All requests of a spell may be waiting at once: the most that any process is sent within one,
    and some to spare. Raises `TooMuch` where that, or ``asked``, is above the limit.
    """
    needed = _SPARE
    for process in np.unique(dealt):
        own = times_s[dealt == process]
        within = np.searchsorted(own, own + spell, side="right") - np.arange(len(own))
        needed = max(needed, int(within.max()) + _SPARE)
    count = needed if asked is None else asked
    if not 1 <= count <= MOST_THREADS:
        raise TooMuch("threads", count, MOST_THREADS, "threads a process")
    return count
