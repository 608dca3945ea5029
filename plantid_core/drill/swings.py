"""Services that are there, and no good: slow, or up one moment and down the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plantid_core.drill.services import Watch
from plantid_core.drill.traffic import Traffic

if TYPE_CHECKING:
    from plantid_core.drill.scene import Scene

_PROCESSES = 2

_USUAL_MS, _SLOWDOWN = 100.0, 20.0
_SLOW_CALL_S = 1.0
# So short that the good calls before the slowdown are soon forgotten.
_WINDOW_S = 3.0
_BULKHEAD = 4
# Long enough that it opens well before the second half, whose answers are to be quick.
_SLOW_RATE, _SLOW_SECONDS = 12.0, 7.0
_DEADLINE_S = 6.0
_LATE_MS = 800.0

_FLAP_S, _FLAPS = 0.7, 3
_RATE, _SECONDS = 12.0, 7.0
_RESET_S, _LONGEST_OPEN_S, _FAIL_MAX = 0.4, 1.6, 3


def brownout(scene: Scene) -> None:
    """Pl@ntNet's median rises from 100 ms to 2 s: it answers, and drags everybody down with it."""
    crowd = scene.crowd(
        _PROCESSES,
        request_deadline_s=_DEADLINE_S,
        bulkhead_size=_BULKHEAD,
        bulkhead_queue=_BULKHEAD,
        breaker_slow_call_s=_SLOW_CALL_S,
        breaker_slow_rate=0.5,
        breaker_window_s=_WINDOW_S,
        breaker_minimum_calls=5,
    )
    _slow(scene, _USUAL_MS)
    before = crowd.ask(Traffic("before", 20, 10.0, threads=4, unasked=True))
    _slow(scene, _USUAL_MS * _SLOWDOWN)
    usual_calls = scene.services.total("plantnet")
    requests = int(_SLOW_RATE * _SLOW_SECONDS)
    traffic = Traffic("during", requests, _SLOW_RATE, threads=60, unasked=True)
    with Watch(scene.services) as watch:
        heard = crowd.ask(traffic)

    checks = scene.checks
    asked = _PROCESSES * requests
    checks.equal("answered", heard.answered(), asked)
    checks.at_most("stuck_at_once", watch.most_in_flight("plantnet"), _PROCESSES * _BULKHEAD)
    checks.at_least("refused_by_the_breaker", heard.codes("plantnet")["breaker_open"], asked // 4)
    checks.figure("slow_calls", scene.services.total("plantnet") - usual_calls)
    checks.figure("median_before_ms", before.percentile_ms(50))
    checks.figure("median_during_ms", heard.percentile_ms(50))
    checks.at_most("slowest_ms", heard.slowest_ms(), _DEADLINE_S * 1e3 + _LATE_MS)
    # The breaker has opened by the second half: then nobody waits for the service any more.
    late = sorted(told.due for told in heard)[asked // 2]
    checks.at_most("late_p99_ms", heard.since(late).percentile_ms(99), _SLOW_CALL_S * 1e3)


def _slow(scene: Scene, median_ms: float) -> None:
    scene.services.faults("plantnet", latency_ms={"p50": median_ms, "p99": median_ms * 1.2})
    scene.note("plantnet", "answers", f"in {median_ms:.0f} ms")


def flapping(scene: Scene) -> None:
    """Plant.id is down for 0.7 s, up for 0.7 s, down again; in the end it stays up."""
    crowd = scene.crowd(
        _PROCESSES,
        breaker_fail_max=_FAIL_MAX,
        breaker_reset_s=_RESET_S,
        breaker_open_max_s=_LONGEST_OPEN_S,
    )
    crowd.ask(Traffic("warm", requests=1))
    scene.services.calm()
    downs = [
        {"start_s": 2 * flap * _FLAP_S, "end_s": (2 * flap + 1) * _FLAP_S} for flap in range(_FLAPS)
    ]
    scene.services.faults("plant_id", outages=downs)
    scene.note("plant_id", "flaps", f"{_FLAPS} times down for {_FLAP_S:g} s")
    traffic = Traffic("unasked", int(_RATE * _SECONDS), _RATE, threads=8, unasked=True)
    heard = crowd.ask(traffic)

    checks = scene.checks
    calls = scene.services.calls()["plant_id"]
    good = sum(count for status, count in calls.items() if status[:1] == "2")
    offered_while_down = _PROCESSES * _RATE * _FLAP_S * _FLAPS
    checks.equal("answered", heard.answered(), _PROCESSES * traffic.requests)
    checks.equal("good_answers_lost", good - heard.statuses("plant_id")["ok"], 0)
    checks.figure("offered_while_down", offered_while_down)
    # Each time down may cost what opens a closed breaker, counted in each process, and two probes.
    checks.at_most("bad_calls", calls.total() - good, _FLAPS * (_PROCESSES * _FAIL_MAX + 2))
    last = heard.since(max(told.due for told in heard) - 0.5)
    checks.equal("ends_closed", last.rungs()["fresh"] == len(last), bar=True)
