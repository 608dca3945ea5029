"""``seed-combined`` in compiled code: a lock a key, and a circuit breaker a process for all keys.

pybreaker holds a lock of its own while it calls, so that a process makes one value at a time, and the
failures of all keys are counted together. So all keys are simulated at once.
"""

# ruff: noqa: C901, PLR0912, PLR0915 - a loop of events is read as one; each call of compiled code costs

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from plantid_core.lab.simulate.fast_arrivals import Key, Load, kernel, next_arrival, take
from plantid_core.lab.simulate.fast_rows import (
    COMPUTED,
    FAILED,
    WAITED,
    Out,
    answer,
    begin_call,
    close_key,
    credit,
    hits,
    open_key,
)

if TYPE_CHECKING:
    from plantid_core.lab.simulate.fast_arrivals import Ints
    from plantid_core.lab.workload import Floats

# As the write-up has them.
_FAIL_MAX = 5
_RESET_S = 60.0
_NONE = -1
_ARRIVAL, _END = 0, 1


class _State(NamedTuple):
    """What stands where, one entry a key or a process.

    Of keys: the next request that finds no value, whether locked, since when its holder waits and who, and
    the ends of the queue for the lock; ``asks_after`` is the key that asks a process's breaker next. Of
    processes: the first key that asks, the key they make (-1: none), whether that will fail, and the
    breaker: failures, and until when it is open (-inf: it is closed).
    """

    due: Floats
    locked: Ints
    came: Floats
    holder: Ints
    head: Ints
    tail: Ints
    asks_after: Ints
    asked: Ints
    making: Ints
    failing: Ints
    failures: Ints
    open_until: Floats
    places: Ints
    share: Floats
    first: Ints


@kernel
def _key(state: _State, number: int) -> Key:
    return Key(number, state.share[number], number, state.first[number + 1], state.places[number])


@kernel
def joint(load: Load, out: Out, share: Floats, first: Ints) -> None:
    """Run all keys of ``seed-combined``; ``out`` has a slot for each."""
    state = _begin(load, share, first)
    events = [(np.inf, 0, 0)]
    since, who, link = [0.0], [0], [_NONE]
    for number in range(len(share)):
        open_key(out, number)
        state.places[number, 0] = first[number]
        _expect(load, state, events, _key(state, number), 0.0)
    # A lock given back is passed on to the next who waits, and may come back at the same moment.
    released = [0]
    released.clear()
    while len(events) > 1:
        t, kind, number = heapq.heappop(events)
        if kind == _ARRIVAL:
            if t == state.due[number]:
                key = _key(state, number)
                process = take(load, key)
                if state.locked[number] == 1:
                    _join(state, number, since, who, link, t, process)
                else:
                    state.locked[number] = 1
                    state.came[number], state.holder[number] = t, process
                    if not _enter(load, out, state, events, key, t):
                        state.locked[number] = 0
                _expect(load, state, events, key, t)
            continue
        process = number
        number = state.making[process]
        key = _key(state, number)
        failed = state.failing[process] == 1
        state.making[process] = _NONE
        _count(state, process, t, failed)
        wait = t - state.came[number]
        answer(out, key, state.came[number], process, wait, FAILED if failed else COMPUTED,
               np.nan if failed else 0.0)  # fmt: skip
        credit(out, key, 1, wait)
        if failed:
            released.append(number)
        else:
            state.locked[number] = 0
            one = _leave(state, number, link)
            while one != _NONE:
                wait = t - since[one]
                late = wait > load.patience
                wait = min(wait, load.patience)
                answer(out, key, since[one], who[one], wait,
                       FAILED if late else WAITED, np.nan if late else 0.0)  # fmt: skip
                credit(out, key, 1, wait)
                one = _leave(state, number, link)
            hard = t + load.ttl
            hits(load, out, key, t, min(hard, load.duration), t, hard, 0.0)
            _expect(load, state, events, key, hard)
        # First who waits for this process's breaker, which was let go of before the lock.
        while state.making[process] == _NONE and state.asked[process] != _NONE:
            number = state.asked[process]
            state.asked[process] = state.asks_after[number]
            if not _enter(load, out, state, events, _key(state, number), t):
                released.append(number)
        while len(released) > 0:
            number = released.pop()
            key, holds = _key(state, number), False
            while not holds:
                one = _leave(state, number, link)
                if one == _NONE:
                    state.locked[number] = 0
                    break
                if t - since[one] > load.patience:
                    answer(out, key, since[one], who[one], load.patience, FAILED, np.nan)
                    credit(out, key, 1, load.patience)
                else:
                    state.came[number], state.holder[number] = since[one], who[one]
                    holds = _enter(load, out, state, events, key, t)
    for number in range(len(share)):
        close_key(out, number)


@kernel
def _begin(load: Load, share: Floats, first: Ints) -> _State:
    keys, processes = len(share), load.processes
    return _State(
        np.full(keys, np.inf), np.zeros(keys, np.int64), np.zeros(keys), np.zeros(keys, np.int64),
        np.full(keys, _NONE), np.full(keys, _NONE), np.full(keys, _NONE),
        np.full(processes, _NONE), np.full(processes, _NONE), np.zeros(processes, np.int64),
        np.zeros(processes, np.int64), np.full(processes, -np.inf), np.zeros((keys, 2), np.int64),
        share, first,
    )  # fmt: skip


@kernel
def _join(
    state: _State, number: int, since: list[float], who: list[int], link: list[int],
    t: float, process: int,
) -> None:  # fmt: skip
    """Queue for a key's lock. Places of those who left are used again; ``link[0]`` leads to them."""
    place = link[0]
    if place == _NONE:
        place = len(link)
        since.append(t)
        who.append(process)
        link.append(_NONE)
    else:
        link[0] = link[place]
        since[place], who[place], link[place] = t, process, _NONE
    if state.head[number] == _NONE:
        state.head[number] = place
    else:
        link[state.tail[number]] = place
    state.tail[number] = place


@kernel
def _leave(state: _State, number: int, link: list[int]) -> int:
    """Return the place of who has queued longest for a key's lock, -1 where there is nobody.

    It can be read until the next one joins.
    """
    place = state.head[number]
    if place != _NONE:
        state.head[number] = link[place]
        link[place], link[0] = link[0], place
    return int(place)


@kernel
def _expect(
    load: Load, state: _State, events: list[tuple[float, int, int]], key: Key, t: float
) -> None:
    """Await the key's next request after ``t``; one awaited before is not awaited any more."""
    at = next_arrival(load, key, t) if t < load.duration else np.inf
    if at < load.duration:
        heapq.heappush(events, (at, _ARRIVAL, key.number))
        state.due[key.number] = at
    else:
        state.due[key.number] = np.inf


@kernel
def _enter(
    load: Load, out: Out, state: _State, events: list[tuple[float, int, int]], key: Key, t: float
) -> bool:
    """Let a lock's holder call through its process's breaker, or wait for that; False: it is refused."""
    process, came = state.holder[key.number], state.came[key.number]
    if state.making[process] != _NONE:
        state.asks_after[key.number] = _NONE
        last = state.asked[process]
        if last == _NONE:
            state.asked[process] = key.number
        else:
            while state.asks_after[last] != _NONE:
                last = state.asks_after[last]
            state.asks_after[last] = key.number
        return True
    if t < state.open_until[process]:
        answer(out, key, came, process, t - came, FAILED, np.nan)
        credit(out, key, 1, t - came)
        return False
    end, failed = begin_call(load, out, key, t, process, early=False)
    state.making[process], state.failing[process] = key.number, 1 if failed else 0
    heapq.heappush(events, (end, _END, process))
    return True


@kernel
def _count(state: _State, process: int, t: float, failed: bool) -> None:  # noqa: FBT001
    if not failed:
        state.failures[process], state.open_until[process] = 0, -np.inf
        return
    state.failures[process] += 1
    # Once it was open, the next call is a trial: it opens again with its first failure.
    if state.failures[process] >= _FAIL_MAX or state.open_until[process] > -np.inf:
        state.open_until[process] = t + _RESET_S
