"""How long the parts of a run take besides the computation: nothing, or what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from plantid_core.lab.workload import Floats


def _none() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, slots=True)
class Latency:
    """Samples in seconds, one drawn at a time; empty: no time at all.

    ``command``: one command of redis-py, there and back. ``link``: the same over the lease's own link.
    ``signal``: from a lock's release to its next waiter. ``wake``: from a commit to a process that
    waits for it. ``baton``: from one waiting thread of a process to the next. ``near``: a value out of
    the process's own memory. ``wrap``: what else a lock costs its holder (its renewal's thread).
    ``compute``: making a value (empty: as the workload draws it).
    """

    command: Floats = field(default_factory=_none)
    link: Floats = field(default_factory=_none)
    signal: Floats = field(default_factory=_none)
    wake: Floats = field(default_factory=_none)
    baton: Floats = field(default_factory=_none)
    near: Floats = field(default_factory=_none)
    wrap: Floats = field(default_factory=_none)
    compute: Floats = field(default_factory=_none)


class Stopwatch:
    """Draws from one kind of samples."""

    def __init__(self, samples: Floats, rng: np.random.Generator) -> None:
        self._samples, self._rng = samples, rng

    def __call__(self) -> float:
        """Return seconds."""
        if len(self._samples) == 0:
            return 0.0
        return float(self._samples[self._rng.integers(len(self._samples))])
