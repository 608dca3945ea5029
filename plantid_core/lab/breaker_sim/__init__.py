"""A breaker before a service that falls ill, on a virtual clock: what each setting costs and saves.

The real `plantid_core.resilience.Breaker`, and pybreaker itself, are driven by a Poisson load. Every call
runs in a greenlet of its own and takes its latency in virtual time, so that calls overlap as they do in
threads, and a run of five minutes takes a fraction of a second and repeats exactly.
"""

from __future__ import annotations

from plantid_core.lab.breaker_sim.protection import (
    CONTESTANTS,
    BadProtection,
    Protection,
    environment,
)
from plantid_core.lab.breaker_sim.scenario import SCENARIOS, BadScenario, Illness, Scenario
from plantid_core.lab.breaker_sim.simulation import Run, outcome, run
from plantid_core.lab.breaker_sim.sweep import AXES, OUTCOMES, Axis, Outcome, compare, jobs, sweep

__all__ = [
    "AXES",
    "CONTESTANTS",
    "OUTCOMES",
    "SCENARIOS",
    "Axis",
    "BadProtection",
    "BadScenario",
    "Illness",
    "Outcome",
    "Protection",
    "Run",
    "Scenario",
    "compare",
    "environment",
    "jobs",
    "outcome",
    "run",
    "sweep",
]
