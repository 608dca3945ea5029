"""One breaker in eight processes: how soon all know of a trip, when they probe again, and how many do."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from pybreaker import CircuitBreakerError

from plantid_core.bench.breaker_rivals import OURS, await_fleet
from plantid_core.bench.callers import all_call, callers
from plantid_core.bench.report import Row
from plantid_core.bench.servers import Server
from plantid_core.resilience.breaker import Breaker
from plantid_core.store.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.bench.breaker_rivals import Tell
    from plantid_core.bench.callers import Caller, Place
    from plantid_core.resilience.circuit import Circuit

CASES = ("calm", "busy")
KNOWN, REOPENED, CPU = "trip known by another", "half-open begins, off by", "CPU use"
# A pause of 0.2 ms between two looks that takes longer is the machine's doing, not the breaker's.
PAUSE = "longest pause between looks"
LET_THROUGH, EPOCHS, STRIKES = "calls let through", "openings", "strikes"

_FAIL_MAX = 5
_OPEN_S = 0.3
# Not polled before: the least that can be drawn is nine tenths of the time.
_REST_S = 0.24
_LONG_S = 60.0
_POLL_S = 0.0002
# Long enough for every process to be there, and for the openings not to keep step with anything.
_GATHER_S = 0.1
_STEP_S = 0.0037
_PROBE_S = 0.25
_SETTLE_S = 0.1
_PATIENCE_S = 20.0
_OPENS, _PROBES, _TRIPS = "opens", "probes", "trips"
_OPEN_FOR_S = {_OPENS: _OPEN_S, _PROBES: 0.1, _TRIPS: _LONG_S}


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many openings in each case, rounds of calls at half-open, and of trips at once."""

    openings: int = 25
    storms: int = 10
    processes: int = 8


@dataclass(frozen=True, slots=True)
class _Seen:
    """Monotonic times of the trip (of whoever tripped it), open and half-open; the seconds drawn.

    ``pause_s`` is the longest that the process slept between two looks.
    """

    tripped: float | None
    opened: float
    half_open: float
    lasts_s: float
    pause_s: float


def rows(tell: Tell, sizes: Sizes) -> Iterator[Row]:
    """Give the rows of what many processes see of one breaker."""
    with Server() as server, callers(server.url, sizes.processes) as crowd:
        tell(f"{sizes.processes} processes join")
        for name in _OPEN_FOR_S:
            all_call(crowd, _join, name)
        for case in CASES:
            tell(f"{case}: {sizes.openings} openings")
            with spinning(os.cpu_count() or 1 if case == "busy" else 0):
                yield from _openings(crowd, case, sizes.openings)
        tell(f"{sizes.storms} storms")
        let = [_storm(crowd) for _ in range(sizes.storms)]
        yield Row.of("half-open storm", OURS, LET_THROUGH, "calls", let)
        advances = [_trips_at_once(crowd) for _ in range(sizes.storms)]
        for metric, values in zip((EPOCHS, STRIKES), zip(*advances, strict=True), strict=True):
            yield Row.of("trips at once", OURS, metric, metric, values)


def p99(values: list[float]) -> float:
    """Return the value that 99 of 100 do not exceed."""
    return sorted(values)[-(-len(values) * 99 // 100) - 1]


@contextmanager
def spinning(count: int, *, nice: int = 0) -> Iterator[None]:
    """Have so many processes want a core for as long as the block takes."""
    command = [sys.executable, "-c", f"import os\nos.nice({nice})\nwhile True: pass"]
    spinners = [subprocess.Popen(command) for _ in range(count)]  # noqa: S603 - our own line
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def _openings(crowd: list[Caller], case: str, openings: int) -> Iterator[Row]:
    known, off, pauses = list[float](), list[float](), list[float]()
    psutil.cpu_percent()
    for number in range(openings):
        all_call(crowd, _await_state, _OPENS, "closed")
        at = time.monotonic() + _GATHER_S + number * _STEP_S
        for place, caller in enumerate(crowd):
            caller.begin(_opening, at, place == number % len(crowd))
        seen: list[_Seen] = [caller.result() for caller in crowd]
        tripped = next(one.tripped for one in seen if one.tripped is not None)
        known += [(one.opened - tripped) * 1e3 for one in seen if one.tripped is None]
        # Of those who heard of it: whoever tripped it may have gone by its own circuit all the time.
        lasts_s = next(one.lasts_s for one in seen if one.tripped is None)
        off += [abs(one.half_open - tripped - lasts_s) * 1e3 for one in seen]
        pauses += [one.pause_s * 1e3 for one in seen]
        crowd[0].call(_close, _OPENS)
    cpu = psutil.cpu_percent()
    yield Row.of(case, OURS, CPU, "%", [cpu])
    for metric, values in ((KNOWN, known), (REOPENED, off), (PAUSE, pauses)):
        yield Row.of(case, OURS, metric, "ms", values)
        yield Row.of(case, OURS, f"{metric}, p99", "ms", [p99(values)])


def _storm(crowd: list[Caller]) -> int:
    """Return how many of the processes' simultaneous calls were let through at half-open."""
    crowd[0].call(_open, _PROBES)
    all_call(crowd, _await_state, _PROBES, "half-open")
    let = all_call(crowd, _probe, time.monotonic() + _GATHER_S)
    all_call(crowd, _await_state, _PROBES, "closed" if any(let) else "half-open")
    return sum(let)


def _trips_at_once(crowd: list[Caller]) -> tuple[int, int]:
    """Return by how much simultaneous trips advanced the circuit's epoch, and its strikes."""
    before = _agreed(crowd)
    all_call(crowd, _trip, time.monotonic() + _GATHER_S)
    time.sleep(_SETTLE_S)
    after = _agreed(crowd)
    crowd[0].call(_close, _TRIPS)
    all_call(crowd, _await_state, _TRIPS, "closed")
    return after.epoch - before.epoch, after.strikes


def _agreed(crowd: list[Caller]) -> Circuit:
    """Return the circuit that all processes go by; raises RuntimeError where they differ."""
    found = all_call(crowd, _circuit, _TRIPS)
    if len(set(found)) > 1:
        raise RuntimeError(f"processes go by different circuits: {found}")
    return found[0]


_BREAKERS: dict[str, Breaker] = {}


def _join(place: Place, name: str) -> None:
    breaker = _BREAKERS[name] = Breaker(
        name, client=connect(place.url), fail_max=_FAIL_MAX, reset_timeout=_OPEN_FOR_S[name],
        ramp=(),
    )  # fmt: skip
    await_fleet(breaker)


def _await_state(_: Place, name: str, state: str) -> None:
    breaker = _BREAKERS[name]
    _poll(lambda: breaker.state == state, 0.002)


def _poll(done: Callable[[], bool], every_s: float) -> tuple[float, float]:
    """Return when it was seen to be done, by the monotonic clock, and the longest pause between looks.

    Raises TimeoutError.
    """
    until, longest = time.monotonic() + _PATIENCE_S, 0.0
    while not done():
        if (asleep := time.monotonic()) > until:
            raise TimeoutError("a breaker does not get where it should")
        time.sleep(every_s)
        longest = max(longest, time.monotonic() - asleep)
    return time.monotonic(), longest


def _opening(place: Place, at: float, trips: bool) -> _Seen:  # noqa: FBT001 - sent through a pipe
    breaker, tripped = _BREAKERS[_OPENS], None
    time.sleep(max(0.0, at - _GATHER_S / 2 - time.monotonic()))
    if trips:
        time.sleep(max(0.0, at - time.monotonic()))
        _fail(breaker)
        tripped = time.monotonic()
    opened, pause = _poll(lambda: breaker.state == "open", _POLL_S)
    time.sleep(max(0.0, (tripped or opened) + _REST_S - time.monotonic()))
    half_open, later = _poll(lambda: breaker.state != "open", _POLL_S)
    circuit = _circuit(place, _OPENS)
    lasts_s = (circuit.until - circuit.since) / 1e3
    return _Seen(tripped, opened, half_open, lasts_s, max(pause, later))


def _fail(breaker: Breaker) -> None:
    for _ in range(_FAIL_MAX):
        with suppress(OSError, CircuitBreakerError):
            breaker.call(_down)


def _down() -> None:
    raise OSError("down")


def _probe(_: Place, at: float) -> bool:
    time.sleep(max(0.0, at - time.monotonic()))
    try:
        # All others have called before it is over.
        _BREAKERS[_PROBES].call(time.sleep, _PROBE_S)
    except CircuitBreakerError:
        return False
    return True


def _trip(_: Place, at: float) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
    _fail(_BREAKERS[_TRIPS])


def _open(_: Place, name: str) -> None:
    _BREAKERS[name].open()


def _close(_: Place, name: str) -> None:
    _BREAKERS[name].close()


def _circuit(_: Place, name: str) -> Circuit:
    circuit = _BREAKERS[name].shared
    if circuit is None:
        raise RuntimeError("a process has lost its fleet")
    return circuit
