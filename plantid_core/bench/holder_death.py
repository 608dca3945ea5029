"""Whoever computes is killed: how long those who wait for it go without a value."""

from __future__ import annotations

import itertools
import os
import struct
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from plantid_core.bench.callers import Caller
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.servers import Server
from plantid_core.resilience.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.bench.callers import Place

ROUNDS = 5
WAITERS = 4
COMPUTE_S = 0.3
LEASE_S = 1.5
GIVE_UP_S = 10.0
# Contestants, and the seconds after which a dead holder's right to compute is gone.
CONTESTANTS = {"lease": LEASE_S, "redis-lock": 2.0, "seed-lock, 5 s": 5.0}
_SLACK_S = 0.15
_TIME = struct.Struct("<d")


def run(
    tell: Callable[[str], None],
    *,
    rounds: int = ROUNDS,
    contestants: tuple[str, ...] = tuple(CONTESTANTS),
    give_up_s: float = GIVE_UP_S,
) -> Report:
    """Return times from the death's expiry on, and those never served; takes about two minutes."""
    rows: list[Row] = []
    with Server() as server:
        for name in contestants:
            tell(f"{name}: the holder is killed {rounds} times")
            deaths = [_death(server.url, name, number, give_up_s) for number in range(rounds)]
            rows += _rows(name, deaths)
    found = Report("holder-death", tuple(rows), ())
    return Report("holder-death", found.rows, tuple(_ratios(found)))


def _rows(name: str, deaths: list[tuple[float, int, int]]) -> Iterator[Row]:
    served, errors, unserved = zip(*deaths, strict=True)
    over = [seconds - CONTESTANTS[name] - COMPUTE_S for seconds in served]
    yield Row.of("killed", name, "served after", "s", served)
    yield Row.of("killed", name, "beyond expiry and computation", "s", over)
    yield Row.of("killed", name, "errors", "callers", errors)
    yield Row.of("killed", name, "not served", "callers", unserved)


def _death(url: str, name: str, number: int, give_up_s: float) -> tuple[float, int, int]:
    """Return seconds from the holder's beginning until all are served, errors, and those unserved.

    The lease was last lengthened when it was granted, so this is the longest wait there is.
    """
    policy, key = Policy(lease_s=LEASE_S), f"leaf {name} {number}"
    with ExitStack() as stack:
        leader, other = Caller(url, policy), Caller(url, policy)
        stack.callback(other.close)
        stack.callback(leader.kill)
        for caller in (leader, other):
            caller.call(_warm, name)
        leader.begin(_lead, name, key)
        (began,) = _TIME.unpack(os.read(leader.line.fileno(), _TIME.size))
        other.begin(_wait, name, key, began, give_up_s)
        time.sleep(COMPUTE_S / 2)
        leader.kill()
        found: tuple[float, int, int] = other.result()
    return found


def _warm(place: Place, name: str) -> None:
    place.contestant(name).get(f"warm {name}", lambda: 1)


def _lead(place: Place, name: str, key: str) -> None:
    def compute() -> object:
        os.write(place.line.fileno(), _TIME.pack(time.monotonic()))
        time.sleep(COMPUTE_S)
        return 1

    place.contestant(name).get(key, compute)


def _compute() -> object:
    time.sleep(COMPUTE_S)
    return 1


def _wait(
    place: Place, name: str, key: str, began: float, give_up_s: float
) -> tuple[float, int, int]:
    contestant = place.contestant(name)
    returns, errors = list[float](), itertools.count()

    def one() -> None:
        try:
            contestant.get(key, _compute)
        except Exception:  # noqa: BLE001 - whatever it is, it is counted
            next(errors)
        returns.append(time.monotonic())

    crowd = [threading.Thread(target=one, daemon=True) for _ in range(WAITERS)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join(max(0.0, began + give_up_s - time.monotonic()))
    unserved = WAITERS - len(returns)
    seconds = give_up_s if unserved else max(returns) - began
    return seconds, next(errors), unserved


def _ratios(found: Report) -> Iterator[Ratio]:
    worst = {(row.contestant, row.metric): row.max for row in found.rows}
    over = worst["lease", "beyond expiry and computation"]
    yield Ratio("lease: beyond expiry and computation, worst", over, "s", _SLACK_S)
    yield Ratio("lease: errors", worst["lease", "errors"], "callers", 0)
    yield Ratio("lease: not served", worst["lease", "not served"], "callers", 0)
