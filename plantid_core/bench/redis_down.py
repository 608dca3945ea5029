"""Redis is killed, or stops answering: what that costs the first request, the later ones, and upstream.

The clients are never restarted: the same processes go through every outage.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from plantid_core.bench.callers import all_call, callers, together
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.servers import Server
from plantid_core.resilience.cache import Cache
from plantid_core.resilience.link import Address
from plantid_core.resilience.policy import Policy
from plantid_core.store.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.bench.callers import Caller, Place

OUTAGES = 5
PROCESSES = 4
THREADS = 8
GETS = 2000
SHARED_KEYS = 10
CASES = ("killed", "frozen")
_BATCHES = 5
_COMPUTE_S = 0.02
_GATHER_S = 0.1
_BACK_WITHIN_S = 10.0
# No outage is as long as the last: else each would end at the same point between two probes.
_LONGER_S = 0.37
_KEYS = itertools.count()


def run(tell: Callable[[str], None], *, outages: int = OUTAGES, gets: int = GETS) -> Report:
    """Return times and calls of both kinds of outage; takes about half a minute."""
    rows: list[Row] = []
    with Server() as server, callers(server.url, PROCESSES) as crowd:
        for case in CASES:
            seen: dict[tuple[str, str, str], list[float]] = {}
            for number in range(outages):
                tell(f"{case}, {number + 1} of {outages}")
                _outage(server, crowd, case, gets, number * _LONGER_S, seen)
            rows += [Row.of(case, *figure, values) for figure, values in seen.items()]
    found = Report("redis-down", tuple(rows), ())
    return Report("redis-down", found.rows, tuple(_ratios(found)))


_FIRST = ("lease", "first request, extra", "ms")
_LATER = ("lease", "later request", "us")
_ALONE = ("without Redis", "later request", "us")
_EXTRA = ("lease", "later request, extra", "us")
_CALLS = ("lease", "calls a key", "calls")
_BACK = ("lease", "back after", "s")


def _outage(
    server: Server,
    crowd: list[Caller],
    case: str,
    gets: int,
    longer_s: float,
    seen: dict[tuple[str, str, str], list[float]],
) -> None:
    if not all(all_call(crowd, _ready)):
        raise RuntimeError("a client does not find Redis")
    with _down(server, case) as back:
        first = all_call(crowd, _first)
        # One process alone: the others would take the processor from it.
        pairs = crowd[0].call(_later, gets)
        keys = tuple(f"leaf {next(_KEYS)}" for _ in range(SHARED_KEYS))
        calls = [sum(counts) for counts in zip(*all_call(crowd, _shared, keys), strict=True)]
        for caller in crowd:
            caller.begin(_until_up)
        time.sleep(longer_s)
        began = back()
        up = [caller.result() - began for caller in crowd]
    degraded, alone = zip(*pairs, strict=True)
    extra = statistics.median(degraded) - statistics.median(alone)
    for figure, values in (
        (_FIRST, first), (_LATER, degraded), (_ALONE, alone), (_EXTRA, [extra]),
        (_CALLS, calls), (_BACK, up),
    ):  # fmt: skip
        seen.setdefault(figure, []).extend(values)


@contextmanager
def _down(server: Server, case: str) -> Iterator[Callable[[], float]]:
    """Take the server away; the function given brings it back, and returns the time of that."""
    (server.kill if case == "killed" else server.freeze)()

    def back() -> float:
        (server.start if case == "killed" else server.thaw)()
        return time.monotonic()

    yield back


class _Pair:
    """A process's cache, and one that never had a Redis."""

    def __init__(self, url: str) -> None:
        self.cache = Cache(Address.of(connect(url)), Policy())
        self.alone = Cache(None, Policy())

    def get(self, key: str, compute: Callable[[], object]) -> object:
        return self.cache.get(key, compute).value

    def close(self) -> None:
        self.cache.close()
        self.alone.close()


_PAIRS: dict[str, _Pair] = {}


def _pair(place: Place) -> _Pair:
    if place.url not in _PAIRS:
        _PAIRS[place.url] = _Pair(place.url)
    return _PAIRS[place.url]


def _ready(place: Place) -> bool:
    cache = _pair(place).cache
    return cache.probe() and cache.get(_new_key(), _one).value == 1


def _first(place: Place) -> float:
    """Return the milliseconds that the outage's first request takes longer than one without Redis."""
    pair = _pair(place)
    pair.alone.get(_new_key(), _one)
    alone = _us(pair.alone, 1)
    return (_us(pair.cache, 1) - alone) / 1e3


def _later(place: Place, gets: int) -> list[tuple[float, float]]:
    pair = _pair(place)
    _us(pair.cache, gets)
    _us(pair.alone, gets)
    return [(_us(pair.cache, gets), _us(pair.alone, gets)) for _ in range(_BATCHES)]


def _us(cache: Cache, gets: int) -> float:
    """Return microseconds a request, each for a key of its own."""
    keys = [_new_key() for _ in range(gets)]
    begin = time.perf_counter()
    for key in keys:
        cache.get(key, _one)
    return (time.perf_counter() - begin) * 1e6 / gets


def _shared(place: Place, keys: tuple[str, ...]) -> list[int]:
    """Return how often each key was computed here, when all threads ask for all keys."""
    pair, lock = _pair(place), threading.Lock()
    counts = dict.fromkeys(keys, 0)

    def ask(key: str) -> None:
        def compute() -> object:
            with lock:
                counts[key] += 1
            time.sleep(_COMPUTE_S)
            return 1

        pair.get(key, compute)

    def ask_all() -> None:
        for key in keys:
            ask(key)

    for thread in together(ask_all, THREADS, time.monotonic() + _GATHER_S):
        thread.join()
    return list(counts.values())


def _until_up(place: Place) -> float:
    """Return the monotonic time at which the cache finds Redis there."""
    cache, until = _pair(place).cache, time.monotonic() + _BACK_WITHIN_S
    while not cache.available() and time.monotonic() < until:
        time.sleep(0.002)
    return time.monotonic()


def _new_key() -> str:
    return f"own {next(_KEYS)}"


def _one() -> object:
    return 1


def _ratios(found: Report) -> Iterator[Ratio]:
    rows = {(row.case, row.contestant, row.metric): row for row in found.rows}
    for case in CASES:
        first, extra = rows[case, *_FIRST[:2]], rows[case, *_EXTRA[:2]]
        calls, back = rows[case, *_CALLS[:2]], rows[case, *_BACK[:2]]
        yield Ratio(f"{case}: first request, extra, worst", first.max, "ms", 250)
        yield Ratio(f"{case}: later request, extra", extra.median, "us", 10)
        yield Ratio(f"{case}: calls a key, worst", calls.max, "calls", PROCESSES)
        yield Ratio(f"{case}: back, worst", back.max, "s", 2)
