"""Many people with one photo."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from plantid_core.drill.services import SERVICES
from plantid_core.drill.traffic import Traffic
from plantid_core.errors import PlantIDError

if TYPE_CHECKING:
    from plantid_core.drill.scene import Scene

_LEASE_S = 1.5
_COMPUTE_S = 1.0
_PATIENCE_S = 10.0


def stampede(scene: Scene) -> None:
    """Have a thousand callers in four processes send one photo at once, new to everybody."""
    for service in SERVICES:
        scene.services.faults(service, latency_ms={"p50": 300, "p99": 300})
    crowd = scene.crowd(4)
    scene.note("callers", "all at once", "1000 callers, one photo")
    heard = crowd.ask(Traffic("stampede", requests=250, threads=250))

    calls = scene.services.calls()
    checks = scene.checks
    checks.equal("callers", len(heard), 1000)
    checks.equal("answered_fresh", heard.rungs()["fresh"], 1000)
    for service in SERVICES:
        checks.equal(f"{service}_calls", calls[service].total(), 1)
    checks.figure("median_ms", heard.percentile_ms(50))
    checks.at_most("slowest_ms", heard.slowest_ms(), 10_000)


def leader_killed(scene: Scene) -> None:
    """Kill the process that computes what all wait for; the others take over."""
    for service in SERVICES:
        scene.services.faults(service, latency_ms={"p50": 1000, "p99": 1000})
    crowd = scene.crowd(3, lease_s=_LEASE_S)
    leader, *others = crowd.clients
    wave = Traffic("wave", requests=20, threads=20)
    leader.order(wave, time.monotonic())
    _until_asked(scene)
    begin = time.monotonic()
    for client in others:
        client.order(wave, begin)
    time.sleep(_COMPUTE_S * 0.5)
    leader.kill()
    killed = time.monotonic()
    scene.note("leader", "killed", "SIGKILL while both services compute for it")
    for client in others:
        client.wait(wave.name)

    heard = crowd.heard().where(lambda told: told.client != leader.number)
    last = max((told.ended for told in heard), default=float("inf"))
    checks = scene.checks
    checks.equal("waiters", len(heard), 2 * wave.requests)
    checks.equal("served_fresh", heard.rungs()["fresh"], 2 * wave.requests)
    checks.at_most("served_after_s", last - killed, _LEASE_S + _COMPUTE_S + 1)
    for service in SERVICES:
        checks.at_most(f"{service}_calls", scene.services.total(service), 2)


def _until_asked(scene: Scene) -> None:
    until = time.monotonic() + _PATIENCE_S
    while min(scene.services.look().in_flight.values()) < 1:
        if time.monotonic() > until:
            raise PlantIDError("The leader never asked the services.")
        time.sleep(0.01)
