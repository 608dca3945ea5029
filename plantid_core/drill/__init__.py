"""Drills: real failures of a real sandbox, store and client processes, each with a pass or a fail.

``run(name, tell)`` is all a page or a command needs; `Rig` serves several drills of one run.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from plantid_core.drill.checks import Checks
from plantid_core.drill.report import DrillReport, Entry, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.drill.report import Tell
    from plantid_core.drill.rig import Rig
    from plantid_core.drill.scene import Scene

__all__ = ["LONG", "NAMES", "DrillReport", "Entry", "run"]

_PLACES = {
    "stampede": "crowds.stampede",
    "leader-killed": "crowds.leader_killed",
    "hostile-uploads": "uploads.hostile_uploads",
    "redis-down": "stores.redis_down",
    "redis-hung": "stores.redis_hung",
    "redis-flushed": "stores.redis_flushed",
    "malformed": "nonsense.malformed",
    "slow-drip": "nonsense.slow_drip",
    "reset": "nonsense.reset",
    "outage": "outages.outage",
    "brownout": "swings.brownout",
    "flapping": "swings.flapping",
    "both-down": "outages.both_down",
    "quota-exhausted": "limits.quota_exhausted",
    "retry-after": "limits.retry_after",
    "retry-storm": "limits.retry_storm",
    "one-bad-node": "fleet.one_bad_node",
    "half-open-storm": "fleet.half_open_storm",
    "history": "history.history",
    "failover": "failover.failover",
}
_LONG_PLACES = {"soak": "soak.soak"}
NAMES = tuple(_PLACES)
# By name only: they run for as many minutes as they are given, and are no part of "all".
LONG = tuple(_LONG_PLACES)


def run(
    name: str, tell: Tell, rig: Rig | None = None, *, minutes: float | None = None
) -> DrillReport:
    """Return the report of one drill; ``tell`` hears of each moment as it comes. Raises KeyError.

    ``minutes`` is how long one of `LONG` runs (None: its own choice). Raises `ConfigurationError`
    where the settings in force name a real key or a foreign Redis.
    """
    module, _, function = (_PLACES | _LONG_PLACES)[name].partition(".")
    drill: Callable[..., None] = getattr(import_module(f"plantid_core.drill.{module}"), function)
    if name in LONG and minutes is not None:
        drill = partial(drill, minutes=minutes)
    if rig is not None:
        return _run(name, drill, tell, rig)
    from plantid_core.drill.rig import Rig

    with Rig() as own:
        return _run(name, drill, tell, own)


def _run(name: str, drill: Callable[[Scene], None], tell: Tell, rig: Rig) -> DrillReport:
    from plantid_core.drill.scene import Scene

    timeline = Timeline(tell)
    checks = Checks(timeline)
    try:
        with Scene(rig, name, timeline, checks) as scene:
            drill(scene)
    except Exception as error:  # noqa: BLE001 - the next drill of the run is still to be had
        checks.broke_off(f"{type(error).__name__}: {error}")
    return checks.report(name)
