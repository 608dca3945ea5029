"""Services that ask to be spared: a quota used up, Retry-After, and a storm of failures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from plantid_core.drill.services import SERVICES, Watch
from plantid_core.drill.traffic import Traffic

if TYPE_CHECKING:
    from plantid_core.drill.scene import Scene
    from plantid_core.drill.services import Service

_PROCESSES = 2
_LEFT = 6
_RATE = 8.0
_SECONDS = 5.0
_RETRY_AFTER_S = 2.0
# Until everybody has heard of the refusal, and what a sample's precision may hide.
_HEARD_S = 0.4
_ASKED_AGAIN_S = 1.5
_STORM = 1200
_BAD_SHARE = 0.9
_AMPLIFICATION = 1.1
_LEAST_RETRIES = 0.02
_OUT_OF_REACH = 1_000_000_000


def quota_exhausted(scene: Scene) -> None:
    """Plant.id's day is used up after a few calls, and Pl@ntNet stands in.

    Each process may learn it for itself once, and no more: every call after a 429 is a wasted one.
    """
    crowd = scene.crowd(_PROCESSES)
    scene.services.faults("plant_id", quota=scene.services.used("plant_id") + _LEFT)
    scene.note("plant_id", "nearly exhausted", f"{_LEFT} requests left")
    traffic = Traffic("unasked", int(_RATE * _SECONDS), _RATE, threads=4, unasked=True)
    heard = crowd.ask(traffic)

    asked = _PROCESSES * traffic.requests
    calls = scene.services.calls()["plant_id"]
    checks = scene.checks
    checks.equal("answered", heard.answered(), asked)
    checks.equal("answered_fresh", heard.rungs()["fresh"], _LEFT)
    checks.equal("others_stood_in", heard.rungs()["other"], asked - _LEFT)
    checks.equal("told_quota", heard.statuses("plant_id")["quota"], asked - _LEFT)
    checks.at_most("wasted_calls", calls["429"], _PROCESSES)


def retry_after(scene: Scene) -> None:
    """Plant.id answers 503, Pl@ntNet 429, both with Retry-After: 2; a second later both are well.

    The thresholds are far away: it is what the services ask for that opens the breakers.
    """
    crowd = scene.crowd(_PROCESSES, breaker_fail_max=1000, breaker_minimum_calls=1000)
    _say_retry_after(scene, "plant_id", 503)
    _say_retry_after(scene, "plantnet", 429)
    traffic = Traffic("unasked", int(_RATE * _SECONDS), _RATE, threads=8, unasked=True)
    with Watch(scene.services) as watch:
        at = crowd.begin(traffic)
        time.sleep(max(0.0, at + 1.0 - time.monotonic()))
        for service in SERVICES:
            scene.services.faults(service)
        scene.note("services", "well again", "half of the time they asked for is over")
        heard = crowd.finish(traffic)

    checks = scene.checks
    checks.equal("answered", heard.answered(), _PROCESSES * traffic.requests)
    for service in SERVICES:
        _judge_pause(scene, watch, service)
        refused = heard.codes(service)["breaker_open"]
        checks.at_least(f"{service}_refused_by_its_breaker", refused, 1)


def _say_retry_after(scene: Scene, service: Service, status: int) -> None:
    error = {"status": status, "rate": 1, "retry_after_s": _RETRY_AFTER_S}
    scene.services.faults(service, errors=[error])
    scene.note(service, f"answers {status}", f"Retry-After: {_RETRY_AFTER_S:.0f}")


def _judge_pause(scene: Scene, watch: Watch, service: Service) -> None:
    """Check that a service was left alone for as long as it asked, and asked again afterwards."""
    checks = scene.checks
    refused, well = watch.first_call(service), watch.first_good(service)
    checks.equal(f"{service}_asked", refused is not None, bar=True)
    checks.equal(f"{service}_asked_again", well is not None, bar=True)
    if refused is None or well is None:
        return
    spared = watch.calls_between(service, refused + _HEARD_S, refused + _RETRY_AFTER_S - 0.1)
    checks.equal(f"{service}_calls_in_the_pause", spared, 0)
    checks.at_most(
        f"{service}_asked_again_after_s", well - refused, _RETRY_AFTER_S + _ASKED_AGAIN_S
    )


def retry_storm(scene: Scene) -> None:
    """Plant.id answers 502 to nine calls of ten, and no breaker stands in the way of 2,400 calls.

    What is tried again is bounded as a share of what is offered, not a number a call.
    """
    crowd = scene.crowd(
        _PROCESSES,
        breaker_fail_max=_OUT_OF_REACH,
        breaker_minimum_calls=_OUT_OF_REACH,
        error_ttl_s=0,
    )
    scene.services.faults("plant_id", errors=[{"status": 502, "rate": _BAD_SHARE}])
    scene.note("plant_id", "answers 502", f"to {_BAD_SHARE:.0%}")
    storm = Traffic("storm", _STORM, threads=16, unasked=True, providers=("plant_id",))
    heard = crowd.ask(storm)

    offered = len(heard) - heard.codes("plant_id")["breaker_open"]
    attempts = scene.services.total("plant_id")
    checks = scene.checks
    checks.at_least("offered_calls", offered, 2000)
    checks.figure("attempts", attempts)
    checks.at_most("attempts_per_call_ratio", attempts / max(1, offered), _AMPLIFICATION)
    # A retrier that never tried again would keep the bound, and be of no use.
    checks.at_least("retries", attempts - offered, _LEAST_RETRIES * offered)
    checks.at_least("answered", heard.answered(), (1 - _BAD_SHARE) / 2 * len(heard))
    checks.equal("failed", sum(told.failed is not None for told in heard), 0)
