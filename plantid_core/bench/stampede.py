"""A crowd on one cold key: how soon the last of it has the value, and what that cost upstream and Redis.

The floor under every cache: processes whose threads are woken by hand, by a message of the same size.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from plantid_core.bench import crowds
from plantid_core.bench.callers import callers
from plantid_core.bench.crowds import Storm
from plantid_core.bench.peers import present
from plantid_core.bench.report import Ratio, Report, Row
from plantid_core.bench.servers import CommandCount, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.bench.callers import Caller

ROUNDS = 7
ONE_ROUNDS = 11
PROCESSES = 4
THREADS = 50
ONE_THREADS = 500
COMPUTE_S = 0.2
COUNTED = ("lease", "redis-lock", "seed-lock")
RIVALS = ("redis-lock", "dogpile", "dogpile 10 ms", "redis-py Lock", "cashews")
# Where every waiter computes after the other, a shorter computation ends the same count sooner.
_ONE_BY_ONE = {("redis-lock", "raises"), ("seed-lock", "none"), ("seed-lock", "raises")}
_ONE_BY_ONE_S = 0.01

_KEYS = itertools.count()


def run(
    tell: Callable[[str], None],
    *,
    rounds: int = ROUNDS,
    one_rounds: int = ONE_ROUNDS,
    threads: int = THREADS,
    one_threads: int = ONE_THREADS,
    rivals: tuple[str, ...] = RIVALS,
) -> Report:
    """Return times, calls and commands; takes about five minutes."""
    storm = Storm("lease", "", threads, "value", COMPUTE_S)
    names = ["lease", *present(rivals, tell)]
    with Server() as server, callers(server.url, PROCESSES) as crowd:
        rows = [*_times(crowd, storm, names, rounds, tell)]
        rows += _calls(crowd, storm, COUNTED, rounds, tell)
        tell("commands")
        rows += [_commands(server, crowd, replace(storm, contestant=name)) for name in names]
    with Server() as server, callers(server.url, 1) as crowd:
        storm = replace(storm, threads=one_threads)
        rows += _calls(crowd, storm, ("lease",), rounds, tell)
        rows += _one_process(crowd, storm, one_rounds, tell)
    return Report("stampede", tuple(rows), tuple(_ratios(Report("stampede", tuple(rows), ()))))


def _times(
    crowd: list[Caller],
    storm: Storm,
    names: list[str],
    rounds: int,
    tell: Callable[[str], None],
) -> Iterator[Row]:
    taken: dict[str, list[float]] = {name: [] for name in [*names, "floor"]}
    for number in range(rounds + 1):
        tell(f"{len(crowd)} processes, round {number} of {rounds}")
        for name in names:
            ms = _storm(crowd, replace(storm, contestant=name)).late_ms
            taken[name] += [ms] if number else []
        ms = crowds.floor(crowd, storm.threads)
        taken["floor"] += [ms] if number else []
    case = _case(crowd, storm)
    return (Row.of(case, name, "last waiter", "ms", ms) for name, ms in taken.items())


def _calls(
    crowd: list[Caller],
    storm: Storm,
    names: tuple[str, ...],
    rounds: int,
    tell: Callable[[str], None],
) -> Iterator[Row]:
    for name, kind in itertools.product(names, crowds.KINDS):
        tell(f"calls: {name}, {kind}")
        compute_s = _ONE_BY_ONE_S if (name, kind) in _ONE_BY_ONE else storm.compute_s
        order = replace(storm, contestant=name, kind=kind, compute_s=compute_s)
        calls = [_storm(crowd, order).calls for _ in range(rounds if name == "lease" else 1)]
        yield Row.of(_case(crowd, storm), name, f"calls, {kind}", "calls", calls)


def _commands(server: Server, crowd: list[Caller], storm: Storm) -> Row:
    # A broadcast now: subscribers that heard nothing for a while would ask whether all is well.
    _storm(crowd, replace(storm, contestant="lease"))
    count = CommandCount(server.client)
    _storm(crowd, storm)
    return Row.of(_case(crowd, storm), storm.contestant, "commands", "commands", [count.total()])


def _one_process(
    crowd: list[Caller], storm: Storm, rounds: int, tell: Callable[[str], None]
) -> Iterator[Row]:
    tell(f"one process, {storm.threads} threads, {rounds} rounds")
    # Before its first contestant: the threads that come later inherit the one core.
    crowd[0].call(crowds.pin)
    taken: dict[str, list[float]] = {"lease": [], "baton": []}
    for number in range(rounds + 1):
        turns = _storm(crowd, storm).late_ms, crowd[0].call(crowds.baton, storm)
        for name, ms in zip(taken, turns, strict=True):
            taken[name] += [ms] if number else []
    case = _case(crowd, storm)
    return (Row.of(case, name, "last waiter", "ms", ms) for name, ms in taken.items())


def _storm(crowd: list[Caller], storm: Storm) -> crowds.Seen:
    seen = crowds.storm(crowd, replace(storm, key=f"leaf {next(_KEYS)}"))
    wrong = 0 if storm.kind != "raises" else len(crowd) * storm.threads
    if seen.failed != wrong:
        raise RuntimeError(f"{storm.contestant}: {seen.failed} callers failed: {seen.why}")
    return seen


def _case(crowd: list[Caller], storm: Storm) -> str:
    return f"{len(crowd)} x {storm.threads}"


def _ratios(found: Report) -> Iterator[Ratio]:
    many, one = dict.fromkeys(row.case for row in found.rows)
    late = {row.contestant: row.median for row in found.rows
            if row.metric == "last waiter" and row.case == many}  # fmt: skip
    for rival, name, bar in (
        ("redis-lock", "15 times sooner", 1 / 15),
        ("dogpile", "100 times sooner", 1 / 100),
        ("floor", "woken by hand", 2.0),
    ):
        if rival in late:
            yield Ratio(f"lease / {rival} ({name})", late["lease"] / late[rival], "x", bar)
    commands = found.median(many, "lease", "commands")
    yield Ratio("commands to Redis", commands, "commands", 2 * PROCESSES + 3)
    for row in found.rows:
        if row.contestant == "lease" and row.unit == "calls":
            yield Ratio(f"{row.case}: {row.metric}", row.max, "calls", 1)
    baton = found.median(one, "baton", "last waiter")
    ours = found.median(one, "lease", "last waiter")
    yield Ratio("one process: lease / lock baton", ours / baton, "x", 1.3)
