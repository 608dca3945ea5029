"""Breakers that several processes share: one that errs, and many that ask at once."""

from __future__ import annotations

import socket
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson
from pydantic import TypeAdapter

from plantid_core.drill.breaker_user import Outcomes, Setup, Volley
from plantid_core.drill.traffic import Traffic
from plantid_core.errors import PlantIDError
from plantid_core.supervise.python import module_command

if TYPE_CHECKING:
    import subprocess

    from plantid_core.drill.scene import Scene

_OUTCOMES = TypeAdapter(Outcomes)

_HEALTHY = 2
_RATE, _SECONDS = 10.0, 6.0
_KNOWN = 5
_PROOF_PERCENT, _SETTLED_S = 1.0, 2.0

_USERS = 8
_FAIL_MAX = 3
_RESET_S = 1.5
_LATENCY_MS = 150.0
_LEAD_S = 0.3
# How far apart processes may believe the same moment to be.
_SPREAD_S = 0.1
_JITTER = 0.1
_GROWTH = 2.0


def one_bad_node(scene: Scene) -> None:
    """One process of three cannot reach the services, and says so; the others know better."""
    healthy = scene.crowd(_HEALTHY, breaker_fail_max=5, breaker_reset_s=60.0)
    bad = scene.crowd(1, breaker_fail_max=5, breaker_reset_s=60.0, sandbox_url=_dead_url())
    healthy.ask(Traffic("warm", requests=_KNOWN, photos=_KNOWN))
    scene.note("node 3", "cut off", "it alone cannot reach the services")
    requests = int(_RATE * _SECONDS)
    unasked = Traffic("unasked", requests, _RATE, threads=6, unasked=True)
    known = Traffic("known", requests, _RATE, threads=4, photos=_KNOWN)
    bad.begin(unasked, known)
    heard = healthy.ask(unasked, known)
    cut_off = bad.finish(unasked, known)

    checks = scene.checks
    checks.equal("healthy_asked", len(heard), 2 * _HEALTHY * requests)
    not_fresh = len(heard) - heard.rungs()["fresh"]
    # While one node's word is put to the proof, for the length of a call, others go by it.
    checks.at_most("healthy_not_fresh_percent", 100 * not_fresh / len(heard), _PROOF_PERCENT)
    late = heard.since(min(told.due for told in heard) + _SETTLED_S)
    checks.equal("settled_not_fresh", len(late) - late.rungs()["fresh"], 0)
    checks.equal("cut_off_answered", cut_off.answered(), len(cut_off))
    checks.equal("cut_off_known_fresh", cut_off.of("known").rungs()["fresh"], requests)
    checks.figure("cut_off_refused", cut_off.codes("plant_id")["breaker_open"])


def _dead_url() -> str:
    """Return an address of loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def half_open_storm(scene: Scene) -> None:
    """Eight processes trip at once, and later all ask at once whether the service is back."""
    services, checks = scene.services, scene.checks
    latency = {"p50": _LATENCY_MS, "p99": _LATENCY_MS}
    services.faults("plant_id", latency_ms=latency, errors=[{"status": 500, "rate": 1}])
    users = _Users(scene)
    began = time.monotonic() + _LEAD_S
    tripped = users.fire(_FAIL_MAX, began)
    scene.note("breakers", "tripped", f"{sum(one.failed for one in tripped)} failures at once")
    first = users.opens_until()
    opened = began + _LATENCY_MS / 1e3
    checks.at_most("open_until_spread_ms", (max(first) - min(first)) * 1e3, _SPREAD_S * 1e3)
    # Had the eight trips been eight openings, the time would have grown with each of them.
    checks.at_most("first_open_s", max(first) - opened, _RESET_S + _SPREAD_S + 0.3)

    probes, probed = users.storm(scene, max(first))
    checks.equal("probes_of_a_service_that_is_down", probes, 1)
    second = users.opens_until()
    grown = (max(second) - probed - _LATENCY_MS / 1e3) / _RESET_S
    checks.at_most("open_again_spread_ms", (max(second) - min(second)) * 1e3, _SPREAD_S * 1e3)
    checks.at_least("open_time_grew_ratio", grown, _GROWTH * (1 - _JITTER) - _SPREAD_S)
    checks.at_most("open_time_grew_once_ratio", grown, _GROWTH + 0.3)

    services.faults("plant_id", latency_ms=latency)
    scene.note("plant_id", "well again")
    probes, _ = users.storm(scene, max(second))
    checks.equal("probes_of_a_service_that_is_back", probes, 1)


class _Users:
    """Eight processes with one breaker."""

    def __init__(self, scene: Scene) -> None:
        setup = Setup(scene.store.url, scene.services.url, "half-open-storm", _FAIL_MAX, _RESET_S)
        command = module_command("plantid_core.drill.breaker_user")
        self._processes = [scene.start(command) for _ in range(_USERS)]
        for process in self._processes:
            _send(process, asdict(setup))
        for process in self._processes:
            _receive(process)
        scene.note("processes", "ready", f"{_USERS} with one breaker")

    def fire(self, calls: int, at: float) -> list[Outcomes]:
        """Have every process make so many calls at the same time."""
        for process in self._processes:
            _send(process, asdict(Volley(at, calls)))
        return [_OUTCOMES.validate_python(_receive(process)) for process in self._processes]

    def opens_until(self) -> list[float]:
        """Return until when each process believes its breaker to be open."""
        told = self.fire(1, time.monotonic())
        until = [one.opens_until for one in told if one.opens_until is not None]
        if len(until) < _USERS:
            raise PlantIDError(f"Only {len(until)} of {_USERS} breakers are open.")
        return until

    def storm(self, scene: Scene, opens_until: float) -> tuple[int, float]:
        """Have all call when the open time is over; return the calls that got through, and when."""
        before = scene.services.total("plant_id")
        at = max(opens_until + _SPREAD_S, time.monotonic() + _LEAD_S)
        self.fire(4, at)
        scene.note("processes", "call", f"{_USERS * 4} calls at once")
        return scene.services.total("plant_id") - before, at


def _send(process: subprocess.Popen[bytes], order: dict[str, object]) -> None:
    if process.stdin is not None:
        process.stdin.write(orjson.dumps(order) + b"\n")
        process.stdin.flush()


def _receive(process: subprocess.Popen[bytes]) -> object:
    line = process.stdout.readline() if process.stdout is not None else b""
    if not line:
        raise PlantIDError("A process with a breaker ended early.")
    return orjson.loads(line)
