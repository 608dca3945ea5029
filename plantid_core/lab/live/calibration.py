"""How long each part of a request takes on this machine: what a simulation needs to be like a live run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.lab.live import limits
from plantid_core.lab.live.orders import Measure, Measured
from plantid_core.lab.live.rig import RigBroken
from plantid_core.lab.workload import Recompute

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from plantid_core.lab.live.rig import Rig
    from plantid_core.lab.workload import Floats

_LEAD_S = 0.05
_PATIENCE_S = 30.0
_HIT = "hit_s:"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Samples in seconds, (n,) each, of all client processes, over a unix socket and loopback.

    ``hit_s`` by strategy: a whole ``get`` of a value that is there (for ``lease`` in its own memory). One
    round trip: ``redis_py_s`` and ``thin_s`` a GET by redis-py and by our own connection, ``set_s`` a SET
    by redis-py. ``lock_take_s`` and ``lock_release_s``: a free lock of python-redis-lock, with its
    renewing thread. ``lease_take_s``, ``commit_s``: the scripts of the lease. ``lock_wake_s``: from the
    start of a release until the blocking read of a waiter returns; ``lease_wake_s``: from the start of a
    commit until a waiter has the value. ``compute_s``: calls upstream asked to take ``latency_s``, with
    several under way.
    """

    hit_s: Mapping[str, Floats]
    redis_py_s: Floats
    thin_s: Floats
    set_s: Floats
    lock_take_s: Floats
    lock_release_s: Floats
    lock_wake_s: Floats
    lease_take_s: Floats
    commit_s: Floats
    lease_wake_s: Floats
    compute_s: Floats
    latency_s: float
    processes: int
    threads: int

    def summary(self) -> pd.DataFrame:
        """Return one row a part: ``part``, ``n``, ``p50_ms``, ``p99_ms``."""
        import pandas as pd

        parts = {f"hit_s {name}": samples for name, samples in self.hit_s.items()}
        parts |= {name: getattr(self, name) for name in _PARTS}
        rows = [(name, len(s), *(np.quantile(s, (0.5, 0.99)) * 1e3)) for name, s in parts.items()]
        return pd.DataFrame(rows, columns=["part", "n", "p50_ms", "p99_ms"])


_PARTS = (
    "redis_py_s", "thin_s", "set_s", "lock_take_s", "lock_release_s", "lock_wake_s",
    "lease_take_s", "commit_s", "lease_wake_s", "compute_s",
)  # fmt: skip


def calibrate(
    rig: Rig, *, processes: int = 2, threads: int = 20, latency_s: float = 0.05
) -> Calibration:
    """Return timings of every part of every strategy, in the rig's processes; takes about two seconds.

    All processes measure at once, from as many threads as given. Raises `TooMuch`, `RigBusy` and `RigBroken`.
    """
    if not 1 <= threads <= limits.MOST_THREADS:
        raise limits.TooMuch("threads", threads, limits.MOST_THREADS, "threads a process")
    told: dict[str, list[float]] = {}
    with rig.taken():
        clients = rig.clients(processes)
        rig.upstream.be(Recompute(latency_s), 0.0)
        order = Measure(rig.anew(), threads, time.monotonic() + _LEAD_S)
        for client in clients:
            client.send(order)
        for client in clients:
            for name, samples in _samples(client.receive(_PATIENCE_S)).items():
                told.setdefault(name, []).extend(samples)
    parts = {name: np.array(told[name], np.float64) for name in _PARTS}
    hits = {
        name.removeprefix(_HIT): np.array(samples, np.float64)
        for name, samples in told.items()
        if name.startswith(_HIT)
    }
    return Calibration(hits, **parts, latency_s=latency_s, processes=processes, threads=threads)


def _samples(told: object) -> dict[str, list[float]]:
    match told:
        case Measured(samples):
            return samples
        case _:
            raise RigBroken(f"A client process could not be calibrated: {told}")
