"""A keyed workload under every strategy, simulated event by event, by two engines that must agree.

*faithful* runs the strategies' own code on a virtual clock; *fast* is a model of them in compiled
code, for traffic of any size. A test holds the one to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from plantid_core.lab.record import Record
    from plantid_core.lab.workload import Requests, Workload

Engine = Literal["fast", "faithful"]


def run(
    strategy: str,
    workload: Workload,
    seed: int,
    *,
    engine: Engine = "fast",
    requests: Requests | None = None,
) -> Record:
    """Return one run of a strategy, by name; ``requests`` replays given ones.

    Raises KeyError for an unknown strategy, and `PlantIDError` for what an engine cannot take.
    """
    if engine == "faithful":
        from plantid_core.lab.simulate import faithful

        return faithful.run(strategy, workload, seed, requests=requests)
    from plantid_core.lab.simulate import fast

    return fast.run(strategy, workload, seed, requests=requests)


def around_expiry(
    strategy: str, workload: Workload, seed: int, *, lead_s: float, after_s: float
) -> Record:
    """Return the window around one expiry of a warm key, by the faithful engine; see there."""
    from plantid_core.lab.simulate import faithful

    return faithful.around_expiry(strategy, workload, seed, lead_s=lead_s, after_s=after_s)
