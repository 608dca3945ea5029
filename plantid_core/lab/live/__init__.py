"""Live runs: client processes, a Valkey and the sandbox, all real, and every request's times.

``run(strategy, workload, seed)`` is all a page or a bench needs; a `Rig` serves many runs.
"""

from __future__ import annotations

from plantid_core.lab.live.calibration import Calibration, calibrate
from plantid_core.lab.live.limits import TooMuch
from plantid_core.lab.live.rig import Rig, RigBroken, RigBusy
from plantid_core.lab.live.runs import LiveRun, StrategyHangs, run

__all__ = [
    "Calibration",
    "LiveRun",
    "Rig",
    "RigBroken",
    "RigBusy",
    "StrategyHangs",
    "TooMuch",
    "calibrate",
    "run",
]
