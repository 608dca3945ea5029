"""Services that answer, and answer nonsense: garbage, a byte at a time, a broken connection.

Both are hit alike. Half of the requests are for photos answered a moment ago, whose answers have
since become stale; the other half is for what nobody has asked before.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from plantid_core.drill.services import SERVICES
from plantid_core.drill.traffic import Traffic

if TYPE_CHECKING:
    from plantid_core.drill.scene import Scene

_PROCESSES = 2
# More than can be stuck until the deadline: a request is not to wait for a thread of ours.
_THREADS = 30
# Of which the bulkhead lets so many call a service at once.
_BULKHEAD = 8
_KNOWN = 10
_RATE = 10.0
_SECONDS = 5.0
_SOFT_TTL_S = 0.5
_FAIL_MAX = 5
_DEADLINE_S = 2.0
# The caller's deadline, the moment the pipeline grants beyond it, and two busy cores.
_LATE_MS = 800.0
# The least share of the unasked questions that an open breaker spares a service.
_REFUSED = 0.2


def malformed(scene: Scene) -> None:
    """Every answer is the beginning of some JSON."""
    _nonsense(scene, malformed_rate=1)
    _opened(scene)


def reset(scene: Scene) -> None:
    """Every connection is broken by the service."""
    _nonsense(scene, reset_rate=1)
    _opened(scene)


def slow_drip(scene: Scene) -> None:
    """Every answer comes at a hundred bytes a second, and would take minutes."""
    _nonsense(scene, drip_bytes_per_s=100)
    _opened(scene)


def _nonsense(scene: Scene, **faults: object) -> None:
    crowd = scene.crowd(
        _PROCESSES,
        soft_ttl_s=_SOFT_TTL_S,
        request_deadline_s=_DEADLINE_S,
        bulkhead_size=_BULKHEAD,
        breaker_fail_max=_FAIL_MAX,
        breaker_reset_s=60.0,
    )
    crowd.ask(Traffic("warm", requests=_KNOWN, threads=2, photos=_KNOWN))
    time.sleep(_SOFT_TTL_S)
    scene.services.calm()
    for service in SERVICES:
        scene.services.faults(service, **faults)
    scene.note("services", "answer nonsense", ", ".join(faults))
    requests = int(_RATE * _SECONDS)
    known = Traffic("known", requests, _RATE, threads=_THREADS, photos=_KNOWN)
    unasked = Traffic("unasked", requests, _RATE, threads=_THREADS, unasked=True)
    heard = crowd.ask(known, unasked)

    checks = scene.checks
    asked = 2 * _PROCESSES * requests
    checks.equal("answered", heard.answered(), asked)
    checks.equal("known_from_stale", heard.of("known").rungs()["stale"], asked // 2)
    checks.equal("unasked_from_offline", heard.of("unasked").rungs()["offline"], asked // 2)
    checks.at_most("slowest_ms", heard.slowest_ms(), _DEADLINE_S * 1e3 + _LATE_MS)
    for service in SERVICES:
        refused = heard.codes(service)["breaker_open"]
        checks.at_least(f"{service}_refused_by_its_breaker", refused, _REFUSED * asked / 2)


def _opened(scene: Scene) -> None:
    """Check that the services were left alone after the first failures.

    Calls that are under way when a breaker opens are let finish: one a slot of the bulkhead at most.
    """
    bar = _PROCESSES * (_FAIL_MAX + _BULKHEAD)
    for service in SERVICES:
        scene.checks.at_most(f"{service}_calls", scene.services.total(service), bar)
