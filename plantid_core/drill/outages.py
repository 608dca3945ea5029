"""Services that are gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from plantid_core.drill.services import SERVICES, Watch
from plantid_core.drill.traffic import Traffic
from plantid_core.resilience.breaker_settings import timing_of

if TYPE_CHECKING:
    from plantid_core.drill.scene import Scene
    from plantid_core.drill.services import Service
    from plantid_core.drill.traffic import Heard, Told

_PROCESSES = 2

_PHOTOS = 15
_KNOWN_RATE, _NEW_RATE = 100.0, 15.0
_WARM_UP_S, _BEFORE_S, _OUT_S, _AFTER_S = 1.0, 2.0, 4.0, 4.0
_SOFT_TTL_S = 1.5
_RESET_S = 0.6
_FAIL_MAX = 5
# Calls under way when a breaker opens are let finish, and the news of it travels.
_NEWS_S = 0.25
_FULL_S = 0.5
# A service that is back is to be noticed within a second.
_LONGEST_OPEN_S = 0.9
_TIMING = timing_of(_RESET_S, 1, {"longest_open_s": _LONGEST_OPEN_S}, shared=True)


def outage(scene: Scene) -> None:
    """Both services answer nothing for a while: yesterday's names, or this machine's own, stand in.

    Before and during the outage as much is offered: photos whose answers expire within 1.5 s, so
    that a part of the requests goes upstream, and questions that nobody has asked before. Before,
    those are of other days, which spares the services' models; during, they are photos never seen,
    which have to be decoded: the p99 before is the harder bar for it.
    """
    crowd = scene.crowd(
        _PROCESSES,
        soft_ttl_s=_SOFT_TTL_S,
        breaker_fail_max=_FAIL_MAX,
        breaker_reset_s=_RESET_S,
        breaker_open_max_s=_LONGEST_OPEN_S,
    )
    crowd.ask(Traffic("warm", requests=_PHOTOS, threads=2, photos=_PHOTOS))
    before = crowd.ask(
        _known("before", _WARM_UP_S + _BEFORE_S),
        _new("before", _WARM_UP_S + _BEFORE_S, photos=False),
    )
    before = before.since(min(told.due for told in before) + _WARM_UP_S)
    with Watch(scene.services) as watch:
        for service in SERVICES:
            scene.services.out(service)
        scene.note("services", "out", "both reset every connection")
        during = crowd.ask(_known("during", _OUT_S), _new("during", _OUT_S, photos=True))
        back = time.monotonic()
        for service in SERVICES:
            scene.services.faults(service)
        scene.note("services", "back")
        after = crowd.ask(_known("after", _AFTER_S))
    _judge_outage(scene, before, during)
    for service in SERVICES:
        _judge_calls(scene, watch, during, service, back)
    _judge_return(scene, watch, after, back)


def _known(phase: str, seconds: float) -> Traffic:
    requests = int(_KNOWN_RATE * seconds)
    return Traffic(f"known {phase}", requests, _KNOWN_RATE, threads=12, photos=_PHOTOS)


def _new(phase: str, seconds: float, *, photos: bool) -> Traffic:
    requests = int(_NEW_RATE * seconds)
    count, first = (requests, _PHOTOS) if photos else (1, 0)
    return Traffic(
        f"new {phase}", requests, _NEW_RATE, threads=8, photos=count, first=first,
        unasked=not photos, apart=photos,
    )  # fmt: skip


def _judge_outage(scene: Scene, before: Heard, during: Heard) -> None:
    checks = scene.checks
    checks.equal("answered", during.answered(), len(during))
    new = during.of("new during")
    checks.equal("new_answered", new.answered(), len(new))
    known = during.of("known during")
    checks.equal("new_from_offline", new.rungs()["offline"], len(new))
    checks.at_least("known_from_stale", known.rungs()["stale"], len(known) / 2)
    kept = known.rungs()["stale"] + known.rungs()["fresh"]
    checks.equal("known_from_a_kept_answer", kept, len(known))
    for stream in ("known", "new"):
        checks.figure(f"{stream}_p99_before_ms", before.of(f"{stream} before").percentile_ms(99))
        checks.figure(f"{stream}_p99_during_ms", during.of(f"{stream} during").percentile_ms(99))
    checks.figure("p50_before_ms", before.percentile_ms(50))
    checks.figure("p50_during_ms", during.percentile_ms(50))
    checks.figure("p99_before_ms", before.percentile_ms(99))
    checks.figure("p99_during_ms", during.percentile_ms(99))
    ratio = during.percentile_ms(99) / max(before.percentile_ms(99), 1e-9)
    checks.at_most("p99_during_to_before_ratio", ratio, 1.5)


def _judge_calls(scene: Scene, watch: Watch, during: Heard, service: Service, back: float) -> None:
    """Check that after the trip nothing but probes reached the service."""
    tripped = min((told.ended for told in during if _was_refused(told, service)), default=None)
    scene.checks.equal(f"{service}_tripped", tripped is not None, bar=True)
    if tripped is not None:
        calls = watch.calls_between(service, tripped + _NEWS_S, back)
        probes = _probes_within(back - tripped)
        scene.checks.at_most(f"{service}_calls_after_the_trip", calls, probes)


def _was_refused(told: Told, service: Service) -> bool:
    said = told.of(service)
    return said is not None and said.code == "breaker_open"


def _judge_return(scene: Scene, watch: Watch, after: Heard, back: float) -> None:
    """Check that the services are asked again, and by everybody once the ramp is over."""
    checks = scene.checks
    good = [at for service in SERVICES if (at := watch.first_good(service, back)) is not None]
    checks.equal("came_back", len(good), len(SERVICES))
    if len(good) < len(SERVICES):
        return
    checks.figure("probed_after_s", max(good) - back)
    ramp_s = len(_TIMING.ramp) * _TIMING.step_ms / 1e3
    checks.figure("ramp_s", ramp_s)
    # The last answer that was not fresh: a second trip would put it off to the end.
    last = max((told.due for told in after if told.rung != "fresh"), default=back)
    checks.at_most("full_rate_after_the_return_s", last - back, ramp_s + 1)
    watched = max(told.due for told in after) - last
    checks.at_least("full_rate_for_s", watched, _FULL_S)


def _probes_within(seconds: float) -> int:
    """Return how many probes a breaker of the fleet lets through in an outage of that length."""
    probes, waited_ms = 0, 0.0
    while True:
        # The shortest that a time may be drawn.
        waited_ms += _TIMING.open_ms(probes + 1, 1.0)
        if waited_ms > seconds * 1e3:
            return probes
        probes += 1


def both_down(scene: Scene) -> None:
    """Both services and Redis are dead: the model on this machine answers all the same."""
    crowd = scene.crowd(_PROCESSES, breaker_fail_max=5, breaker_reset_s=60.0)
    crowd.ask(Traffic("warm", requests=1))
    for service in SERVICES:
        scene.services.out(service)
    scene.store.kill()
    scene.note("all", "dead", "Plant.id, Pl@ntNet and Redis")
    unasked = Traffic("unasked", 80, rate=20.0, threads=8, unasked=True)
    heard = crowd.ask(unasked)
    alone = Traffic("services alone", 10, rate=10.0, unasked=True, providers=SERVICES)
    nobody = crowd.ask(alone)

    checks = scene.checks
    checks.equal("answered_offline", heard.rungs()["offline"], _PROCESSES * unasked.requests)
    checks.at_most("slowest_ms", heard.slowest_ms(), 1500)
    checks.equal("nobody_answered", nobody.rungs()["none"], _PROCESSES * alone.requests)
    told = sum(all(said.retry_after_s for said in one.said) for one in nobody)
    checks.equal("told_when_to_retry", told, _PROCESSES * alone.requests)
