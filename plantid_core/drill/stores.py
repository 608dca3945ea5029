"""Redis killed, hung, emptied: people are answered all the same, and the services are spared.

One traffic asks for what everybody has asked before; into it fall rounds of photos that are new,
each sent by ten callers of every process at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from plantid_core.drill.services import SERVICES
from plantid_core.drill.traffic import Heard, Traffic
from plantid_core.errors import PlantIDError
from plantid_core.resilience.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.drill.clients import Crowd
    from plantid_core.drill.scene import Scene

_PROCESSES = 2
_KNOWN = 10
_ROUNDS = 4
_CALLERS = 10
_RATE = 30.0
_SECONDS = 8.0
_FIRST_NEW = 1000
# What a request may take where Redis hangs: connect and read once (0.1 s + 0.2 s), the service's
# 0.2 s, and two cores shared by six processes.
_SLOWEST_MS = 1500.0
_LATENCY_MS = 200
# To decode a photo, to recognise it three times, and to hand it to ten callers.
_NEW_MS = 350
_BACK_S = 2.5
_PATIENCE_S = 10.0


def redis_down(scene: Scene) -> None:
    """Redis is killed, and started again, empty."""
    _trouble(
        scene,
        lambda: _told(scene, "killed", scene.store.kill),
        lambda: _told(scene, "started, empty", scene.store.start),
    )


def redis_hung(scene: Scene) -> None:
    """Redis hangs: it takes connections, and answers nobody."""
    _trouble(
        scene,
        lambda: _told(scene, "frozen", scene.store.freeze),
        lambda: _told(scene, "goes on", scene.store.thaw),
    )


def redis_flushed(scene: Scene) -> None:
    """Redis is emptied, values and scripts, while new photos are being computed."""
    # A lease that is gone wakes nobody: who waits looks again after a third of its length.
    again_ms = Policy().lease_s / 3 * 1e3
    flush = scene.store.flush
    _trouble(scene, in_flight=lambda: _told(scene, "emptied", flush), again_ms=again_ms)


def _trouble(
    scene: Scene,
    begin: Callable[[], None] = lambda: None,
    end: Callable[[], None] = lambda: None,
    *,
    in_flight: Callable[[], None] = lambda: None,
    again_ms: float = 0.0,
) -> None:
    """Have trouble begin and end around the rounds, or befall each of them in flight."""
    crowd = scene.crowd(_PROCESSES)
    crowd.ask(Traffic("warm", requests=_KNOWN, threads=2, photos=_KNOWN))
    warmed = {service: scene.services.total(service) for service in SERVICES}
    for service in SERVICES:
        scene.services.faults(service, latency_ms={"p50": _LATENCY_MS, "p99": _LATENCY_MS})
    known = Traffic("known", int(_RATE * _SECONDS), _RATE, threads=8, photos=_KNOWN)
    at = crowd.begin(known)
    _sleep_until(at + 1.0)
    begin()
    began = time.monotonic()
    rounds = [_round(scene, crowd, number, in_flight) for number in range(_ROUNDS)]
    end()
    back = _back_after_s(crowd, time.monotonic())
    heard = crowd.finish(known)
    _judge(scene, heard, rounds, began, again_ms)
    scene.checks.at_most("back_after_s", back, _BACK_S)
    known_calls = max(
        scene.services.total(service) - warmed[service] - sum(calls[service] for _, calls in rounds)
        for service in SERVICES
    )
    scene.checks.at_most("calls_for_a_known_photo", known_calls / _KNOWN, _PROCESSES)


def _judge(
    scene: Scene,
    known: Heard,
    rounds: list[tuple[Heard, dict[str, int]]],
    began: float,
    again_ms: float,
) -> None:
    """Hold the answers to their bars; ``again_ms`` is what one who was not woken waits to look again."""
    checks = scene.checks
    new = Heard([told for heard, _ in rounds for told in heard])
    offered = _PROCESSES * (int(_RATE * _SECONDS) + _ROUNDS * _CALLERS)
    checks.equal("asked", len(known) + len(new), offered)
    checks.equal("answered", known.answered() + new.answered(), offered)
    checks.equal("answered_fresh", known.rungs()["fresh"] + new.rungs()["fresh"], offered)
    checks.figure("known_p99_before_ms", known.since(0, began).percentile_ms(99))
    checks.figure("known_p99_after_ms", known.since(began).percentile_ms(99))
    checks.at_most("slowest_ms", max(known.slowest_ms(), new.slowest_ms()), _SLOWEST_MS)
    # Only the first to meet a Redis that hangs may wait for it.
    later = Heard([told for heard, _ in rounds[1:] for told in heard])
    checks.at_most("new_photo_p50_ms", later.percentile_ms(50), _LATENCY_MS + _NEW_MS + again_ms)
    most = max(calls[service] for _, calls in rounds for service in SERVICES)
    checks.at_most("calls_for_a_new_photo", most, _PROCESSES)


def _round(
    scene: Scene, crowd: Crowd, number: int, in_flight: Callable[[], None]
) -> tuple[Heard, dict[str, int]]:
    """Return what all callers were told of one new photo, and how often each service was called."""
    before = scene.services.calls()
    new = Traffic(f"new-{number}", _CALLERS, threads=_CALLERS, first=_FIRST_NEW + number)
    at = crowd.begin(new)
    _sleep_until(at + 0.1)
    in_flight()
    heard = crowd.finish(new)
    after = scene.services.calls()
    return heard, {service: (after[service] - before[service]).total() for service in SERVICES}


def _back_after_s(crowd: Crowd, since: float) -> float:
    """Return the seconds until every process says that it has Redis again."""
    until = time.monotonic() + _PATIENCE_S
    waiting = {client.number for client in crowd.clients}
    while waiting:
        if time.monotonic() > until:
            raise PlantIDError("The clients did not find Redis again.")
        time.sleep(0.02)
        latest = {told.client: told for told in crowd.heard().since(since)}
        waiting -= {number for number, told in latest.items() if not told.degraded}
    return time.monotonic() - since


def _told(scene: Scene, event: str, act: Callable[[], None]) -> None:
    act()
    scene.note("redis", event)


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
