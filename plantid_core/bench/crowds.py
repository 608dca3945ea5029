"""Crowds on one key, in client processes: what the stampede benchmark has them do, and what it saw."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import orjson

from plantid_core.bench.cache_hit import leaf
from plantid_core.bench.callers import all_call, together

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.bench.callers import Caller, Place

Kind = Literal["value", "none", "raises"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Long enough for every thread of every process to be there.
_GATHER_S = 0.3
_HELD_S = 0.2
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Storm:
    """So many threads a process on one key, whose computation sleeps and then ends in some way."""

    contestant: str
    key: str
    threads: int
    kind: Kind
    compute_s: float
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Seen:
    """Calls, monotonic times of the first value and of the last return, and those who got an error."""

    calls: int
    computed: float
    last: float
    failed: int
    why: str

    @property
    def late_ms(self) -> float:
        """Return the milliseconds from the value to the last who had it."""
        return (self.last - self.computed) * 1e3


class _Upstream:
    def __init__(self, storm: Storm) -> None:
        self._storm = storm
        self.ended: list[float] = []
        self._value = leaf()

    def __call__(self) -> object:
        time.sleep(self._storm.compute_s)
        self.ended.append(time.monotonic())
        if self._storm.kind == "raises":
            raise LookupError("upstream says no")
        return self._value if self._storm.kind == "value" else None


def storm(crowd: list[Caller], order: Storm) -> Seen:
    """Let loose the crowd of all processes at one time; return what came of it."""
    at = time.monotonic() + _GATHER_S
    order = Storm(order.contestant, order.key, order.threads, order.kind, order.compute_s, at)
    seen = all_call(crowd, _storm_here, order)
    return Seen(
        sum(one.calls for one in seen),
        min(one.computed for one in seen),
        max(one.last for one in seen),
        sum(one.failed for one in seen),
        next((one.why for one in seen if one.why), ""),
    )


def _storm_here(place: Place, order: Storm) -> Seen:
    contestant, upstream = place.contestant(order.contestant), _Upstream(order)
    returns: list[float] = []
    errors: Counter[str] = Counter()

    def one() -> None:
        try:
            contestant.get(order.key, upstream)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            errors[f"{type(error).__name__}: {error}"] += 1
        returns.append(time.monotonic())

    for thread in together(one, order.threads, order.at):
        thread.join()
    why = max(errors, default="")
    ended = min(upstream.ended, default=float("inf"))
    return Seen(len(upstream.ended), ended, max(returns), errors.total(), why)


def floor(crowd: list[Caller], threads: int) -> float:
    """Return milliseconds until the last of all threads is awake, woken by hand from here."""
    message = orjson.dumps(leaf())
    for caller in crowd:
        caller.begin(_floor_here, threads, len(message))
    time.sleep(_GATHER_S + _HELD_S)
    begin = time.monotonic()
    for caller in crowd:
        os.write(caller.line.fileno(), message)
    last: float = max(caller.result() for caller in crowd)
    return (last - begin) * 1e3


def _floor_here(place: Place, threads: int, size: int) -> float:
    def told() -> None:
        line, left = place.line.fileno(), size
        while left:
            left -= len(os.read(line, min(left, _CHUNK)))

    return _pass_baton(threads, told)[1]


def baton(_: Place, order: Storm) -> float:
    """Return milliseconds until the last thread of this process has had a lock handed on."""
    begin, last = _pass_baton(order.threads, lambda: time.sleep(order.compute_s))
    return (last - begin) * 1e3


def _pass_baton(threads: int, told: Callable[[], None]) -> tuple[float, float]:
    lock, returns = threading.Lock(), list[float]()

    def one() -> None:
        lock.acquire()
        lock.release()
        returns.append(time.monotonic())

    lock.acquire()
    crowd = together(one, threads, 0.0)
    told()
    begin = time.monotonic()
    lock.release()
    for thread in crowd:
        thread.join()
    return begin, max(returns)


def pin(_: Place) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
