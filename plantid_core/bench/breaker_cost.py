"""What a circuit breaker adds to a call: time, listeners, threads that wait, commands to Redis."""

from __future__ import annotations

import gc
import itertools
import statistics
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pybreaker import CircuitBreakerError, CircuitBreakerListener

from plantid_core.bench.breaker_crowd import spinning
from plantid_core.bench.breaker_rivals import (
    IN_MEMORY,
    OTHERS,
    OURS,
    OVER_REDIS,
    RATES,
    Guard,
    Makers,
    Service,
    open_by_failures,
    present,
)
from plantid_core.bench.callers import together
from plantid_core.bench.report import Row
from plantid_core.bench.servers import CommandCount, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from plantid_core.bench.breaker_rivals import Tell

STATES = ("closed", "open")
LISTENERS = (0, 1, 2, 4)
THREADS = (1, 4)
AT_ONCE = 10
_GATHER_S = 0.05
# How many calls of ours are timed for one of another's, which takes as much longer.
_SHARE = {OVER_REDIS: 200, IN_MEMORY: 10, "purgatory": 50, "circuitbreaker": 10}
_COMMAND_CALLS = {OURS: 10_000, OVER_REDIS: 500}
# Where ten calls of a fifth of a second come one after the other, a few rounds tell as much.
_LONG_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Sizes:
    """How often and how long; ``calls`` of ours a round, ``nap_s`` of a call that ten make at once."""

    rounds: int = 9
    calls: int = 50_000
    nap_s: float = 0.2


class All(CircuitBreakerListener):
    """Hears everything, and does nothing."""

    # With pybreaker's own signatures: what they take costs time, too.

    def before_call(self, cb: object, func: object, *args: object, **kwargs: object) -> None:
        """Hear of a call."""

    def failure(self, cb: object, exc: BaseException) -> None:
        """Hear of a failure."""

    def success(self, cb: object) -> None:
        """Hear of a success."""

    def state_change(self, cb: object, old_state: object, new_state: object) -> None:
        """Hear of a change."""


class Successes(CircuitBreakerListener):
    """Hears of successes alone, and does nothing."""

    def success(self, cb: object) -> None:
        """Hear of a success."""


def rows(tell: Tell, sizes: Sizes) -> Iterator[Row]:
    """Give the rows of all that a call costs."""
    names = [OURS, RATES, *present(OTHERS, tell)]
    with Server() as server:
        makers = Makers(server.url)
        try:
            tell(f"overhead, {sizes.rounds} rounds of {len(names)} contestants")
            # Out of the depth of a core's sleep a server answers late, which is no rival's fault.
            with spinning(1, nice=19):
                yield from _overheads(makers, names, sizes)
            tell("listeners")
            yield from _listeners(makers, sizes)
            tell("threads")
            yield from _threads(makers, sizes)
            yield from _at_once(makers, [name for name in names if name != OVER_REDIS], sizes)
            tell("commands")
            yield from _commands(server, makers)
        finally:
            makers.close()


def in_turns(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return what each measure gave in each round, after one that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(rounds + 1):
        for name, measure in measures.items():
            with _no_collection():
                value = measure()
            taken[name] += [value] if number else []
    return taken


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _overheads(makers: Makers, names: list[str], sizes: Sizes) -> Iterator[Row]:
    measures = {}
    for state, name in itertools.product(STATES, names):
        guard = _checked(makers, name, state)
        count = max(1, sizes.calls // _SHARE.get(name, 1))
        measures[f"{state} {name}"] = partial(_overhead_us, guard, count)
    taken = in_turns(measures, sizes.rounds)
    for state, name in itertools.product(STATES, names):
        yield Row.of(state, name, "overhead", "us", taken[f"{state} {name}"])


def _checked(makers: Makers, name: str, state: str) -> Guard:
    """Return a contestant in that state; this one, or its like, was seen to be in it."""
    service = Service()
    guard = makers.guard(name, service)
    if state == "open":
        open_by_failures(guard, service)
    before = service.calls
    _through(guard, 1)
    if (service.calls > before) != (state == "closed"):
        raise RuntimeError(f"{name} is not {state}")
    return guard if state == "open" else makers.guard(name, nothing)


def nothing() -> None:
    """Be called."""


def _overhead_us(guard: Guard, count: int) -> float:
    """Return microseconds that a call takes longer through the breaker than straight."""
    direct = _timed(partial(_straight, count))
    return (_timed(partial(_through, guard, count)) - direct) * 1e6 / count


def _timed(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _straight(count: int) -> None:
    work = nothing
    for _ in itertools.repeat(None, count):
        work()


def _through(guard: Guard, count: int) -> None:
    call, refusal = guard.call, guard.refusal
    if not guard.arguments:
        for _ in itertools.repeat(None, count):
            try:
                call()
            except refusal:
                continue
        return
    work = guard.arguments[0]
    for _ in itertools.repeat(None, count):
        try:
            call(work)
        except refusal:
            continue


def _listeners(makers: Makers, sizes: Sizes) -> Iterator[Row]:
    measures = {}
    for kind, count in [*((All, count) for count in LISTENERS), (Successes, LISTENERS[-1])]:
        heard = tuple(kind() for _ in range(count))
        breaker = makers.breaker(listeners=heard)
        guard = Guard(breaker.call, (nothing,), CircuitBreakerError)
        measures[f"{kind.__name__} {count}"] = partial(_overhead_us, guard, sizes.calls)
    taken = in_turns(measures, sizes.rounds)
    by_count = [taken[f"All {count}"] for count in LISTENERS]
    for count, values in zip(LISTENERS, by_count, strict=True):
        yield Row.of("listeners", f"{count} listeners", "overhead", "us", values)
    slopes = [
        statistics.linear_regression(LISTENERS, values).slope
        for values in zip(*by_count, strict=True)
    ]
    yield Row.of("listeners", "a listener of everything", "overhead", "us", slopes)
    most = taken[f"Successes {LISTENERS[-1]}"]
    each = [(some - none) / LISTENERS[-1] for some, none in zip(most, taken["All 0"], strict=True)]
    yield Row.of("listeners", "a listener of successes", "overhead", "us", each)


def _threads(makers: Makers, sizes: Sizes) -> Iterator[Row]:
    guard = makers.guard(OURS, nothing)
    calls = sizes.calls * THREADS[-1]

    def us(threads: int) -> float:
        work = partial(_through, guard, calls // threads)
        return _together_s(work, threads) * 1e6 / calls

    taken = in_turns({str(threads): partial(us, threads) for threads in THREADS}, sizes.rounds)
    for threads in THREADS:
        yield Row.of("threads", f"{threads} threads", "call", "us", taken[str(threads)])


def _at_once(makers: Makers, names: list[str], sizes: Sizes) -> Iterator[Row]:
    measures = {}
    for name in names:
        guard = makers.guard(name, partial(time.sleep, sizes.nap_s))
        measures[name] = partial(_together_s, partial(_through, guard, 1), AT_ONCE)
    in_line = {name: measures.pop(name) for name in (IN_MEMORY,) if name in measures}
    taken = in_turns(measures, sizes.rounds)
    taken |= in_turns(in_line, min(sizes.rounds, _LONG_ROUNDS))
    for name in names:
        yield Row.of("ten at once", name, "all ended", "s", taken[name])


def _together_s(work: Callable[[], object], threads: int) -> float:
    """Return the seconds from the moment that all threads begin until the last one ends."""
    at = time.monotonic() + _GATHER_S
    for thread in together(work, threads, at):
        thread.join()
    return time.monotonic() - at


def _commands(server: Server, makers: Makers) -> Iterator[Row]:
    for state, name in itertools.product(STATES, _COMMAND_CALLS):
        guard, calls = _checked(makers, name, state), _COMMAND_CALLS[name]
        # News now: a subscriber that hears nothing for a while would ask whether all is well.
        news = makers.breaker()
        news.open()
        news.close()
        count = CommandCount(server.client)
        _through(guard, calls)
        yield Row.of(state, name, f"commands, {calls} calls", "commands", [count.total()])
