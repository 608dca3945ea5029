"""Each strategy as what can happen to one key next, where the network takes no time; compiled.

Between two events nothing is done: the next event is the end of a call, the value's expiry, the next request
that finds no value, or the next that draws an early recomputation, whichever comes first.
"""

# ruff: noqa: NPY002 - compiled code draws from its thread's own stream, seeded by each run
# ruff: noqa: C901, PLR0912, PLR0915 - a loop of events is read as one; each call of compiled code costs

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.lab.simulate.fast_arrivals import (
    Key,
    Load,
    kept,
    kernel,
    lent_ints,
    lent_load,
    next_arrival,
    next_early,
    take,
)
from plantid_core.lab.simulate.fast_joint import joint
from plantid_core.lab.simulate.fast_rows import (
    COMPUTED,
    FAILED,
    HITS,
    MEAN,
    SEEN,
    STALE,
    WAITED,
    Out,
    answer,
    begin_call,
    close_key,
    credit,
    hits,
    lent_out,
    one_hit,
    open_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.simulate.fast_arrivals import Ints
    from plantid_core.lab.workload import Floats

    Runner = Callable[[Load, Out, Floats, Ints, int], int]

# Strategies that do the same but for their settings share a number.
ALONE, LOCKED, POLLED, COALESCED, KEPT_PENDING, LEASED, COMBINED = range(7)


@kernel
def _ttl(load: Load) -> float:
    return load.ttl * (1.0 - load.jitter * (1.0 - np.random.random()))


@kernel
def _alone(load: Load, out: Out, key: Key) -> None:
    """Everybody who finds no value, or draws early, makes one: ``none``, ``xfetch``, ``seed-early``."""
    # Calls under way in the order of their ends: most end in the order they began, and a heap costs more.
    pending, head, tail = np.empty((64, 3)), 0, 0
    t, stored, hard, scale = 0.0, -np.inf, -np.inf, 0.0
    while t < load.duration or head < tail:
        end = pending[head, 0] if head < tail else np.inf
        if t < load.duration:
            limit = min(end, load.duration)
            if t < hard:
                limit = min(limit, hard)
                at = next_early(load, key, hard, scale, t, limit)
                hits(load, out, key, t, min(at, limit), stored, hard, scale)
            else:
                at = next_arrival(load, key, t)
            if at < limit:
                t, process = at, take(load, key)
                end, failed = begin_call(load, out, key, t, process, t < hard)
                answer(out, key, t, process, end - t, FAILED if failed else COMPUTED,
                       np.nan if failed else 0.0)  # fmt: skip
                if tail == len(pending):
                    pending = np.concatenate((pending[head:], np.empty_like(pending)))
                    head, tail = 0, tail - head
                place = tail
                while place > head and pending[place - 1, 0] > end:
                    pending[place] = pending[place - 1]
                    place -= 1
                pending[place, 0], pending[place, 1], pending[place, 2] = end, end - t, failed
                tail += 1
                continue
            t = limit
            if t < end:
                continue
        t, delta, failed = pending[head, 0], pending[head, 1], pending[head, 2] > 0.0
        head += 1
        if head == tail:
            head = tail = 0
        credit(out, key, 1, delta)
        if not failed:
            stored, hard, scale = t, t + _ttl(load), load.beta * delta


@kernel
def _locked(load: Load, out: Out, key: Key) -> None:
    """One makes it under a lock, the others queue: ``redis-lock``, ``xfetch+lock``, ``seed-lock``.

    A release wakes whoever has queued longest, who looks again, and computes if there is no value still.
    Who sleeps for ``nap`` at most queues anew after each nap.
    """
    since, who, first = [0.0], [0], 1
    t, stored, hard, scale = 0.0, -np.inf, -np.inf, 0.0
    busy, came, process, began, failed = np.inf, 0.0, 0, 0.0, False
    while t < load.duration or busy < np.inf:
        if t < load.duration:
            limit, free = min(busy, load.duration), busy == np.inf
            if t < hard:
                limit = min(limit, hard)
                drawn = scale if free else 0.0
                at = next_early(load, key, hard, drawn, t, limit)
                hits(load, out, key, t, min(at, limit), stored, hard, drawn)
            else:
                at = next_arrival(load, key, t)
            if at < limit:
                t, one = at, take(load, key)
                if free:
                    came, process, began = t, one, t
                    busy, failed = begin_call(load, out, key, t, one, t < hard)
                else:
                    since.append(t)
                    who.append(one)
                continue
            t = limit
            if t < busy:
                continue
        t, busy = busy, np.inf
        answer(out, key, came, process, t - came, FAILED if failed else COMPUTED,
               np.nan if failed else 0.0)  # fmt: skip
        credit(out, key, 1, t - came)
        if not failed:
            stored, hard, scale = t, t + _ttl(load), load.beta * (t - began)
        if failed and load.nap < np.inf:
            next_one, napped = -1, -1.0
            for place in range(first, len(since)):
                nap = (t - since[place]) % load.nap
                if nap > napped and t - since[place] <= load.patience:
                    next_one, napped = place, nap
            if next_one >= 0:
                since[first], since[next_one] = since[next_one], since[first]
                who[first], who[next_one] = who[next_one], who[first]
        while first < len(since):
            came, process = since[first], who[first]
            first += 1
            if t - came > load.patience:
                answer(out, key, came, process, load.patience, FAILED, np.nan)
                credit(out, key, 1, load.patience)
            elif failed:
                began = t
                busy, failed = begin_call(load, out, key, t, process, early=False)
                break
            else:
                answer(out, key, came, process, t - came, WAITED, 0.0)
                credit(out, key, 1, t - came)
        if first == len(since) and first > 1:
            since.clear()
            who.clear()
            first = 0


@kernel
def _nap() -> float:
    return (5 + np.random.randint(0, 40)) / 1000.0


@kernel
def _polled(load: Load, out: Out, key: Key) -> None:
    """``redlock``: those who wait look whether the lock is free every 5 to 44 ms, each in its own time."""
    since, who, looks = [0.0], [0], [0.0]
    since.clear()
    who.clear()
    looks.clear()
    t, stored, hard = 0.0, -np.inf, -np.inf
    busy, came, process, failed = np.inf, 0.0, 0, False
    while t < load.duration or busy < np.inf or len(since) > 0:
        limit, at, looker = busy, np.inf, -1
        if t < load.duration:
            limit = min(limit, load.duration)
        if t < hard:
            limit = min(limit, hard)
            if t < load.duration:
                hits(load, out, key, t, limit, stored, hard, 0.0)
        else:
            if t < load.duration:
                at = next_arrival(load, key, t)
            if busy == np.inf:
                for one in range(len(looks)):
                    if looks[one] < min(at, limit):
                        at, looker = looks[one], one
        if at < limit:
            t = at
            if looker >= 0:
                came, process = since[looker], who[looker]
                _remove(since, who, looks, looker)
                busy, failed = begin_call(load, out, key, t, process, early=False)
            else:
                one = take(load, key)
                if busy == np.inf:
                    came, process = t, one
                    busy, failed = begin_call(load, out, key, t, one, early=False)
                else:
                    since.append(t)
                    who.append(one)
                    looks.append(t + _nap())
            continue
        t = limit
        if t < busy or busy == np.inf:
            continue
        busy = np.inf
        answer(out, key, came, process, t - came, FAILED if failed else COMPUTED,
               np.nan if failed else 0.0)  # fmt: skip
        credit(out, key, 1, t - came)
        if not failed:
            stored, hard = t, t + _ttl(load)
        _look(load, out, key, since, who, looks, t, stored, hard)


@kernel
def _remove(since: list[float], who: list[int], looks: list[float], one: int) -> None:
    since[one], who[one], looks[one] = since[-1], who[-1], looks[-1]
    since.pop()
    who.pop()
    looks.pop()


@kernel
def _look(  # noqa: PLR0913, PLR0917
    load: Load, out: Out, key: Key, since: list[float], who: list[int], looks: list[float],
    t: float, stored: float, hard: float,
) -> None:  # fmt: skip
    """Let each find its next look after the release at ``t``, and leave with a value that is there then."""
    for one in range(len(since) - 1, -1, -1):
        came, look = since[one], looks[one]
        last = came + load.patience
        while look < t and look < last:
            look += _nap()
        look = min(look, last)
        looks[one] = look
        late = look < t
        if late or look < hard:
            answer(out, key, came, who[one], look - came, FAILED if late else WAITED,
                   np.nan if late else look - stored)  # fmt: skip
            credit(out, key, 1, look - came)
            _remove(since, who, looks, one)


@kernel
def _coalesced(load: Load, out: Out, key: Key) -> None:
    """One a process: ``coalesce``, and ``seed-coalesce``, which looks for a value before it joins.

    The latter's waiters get what their process made last, however old, where its call failed.
    """
    keeps = load.kind == KEPT_PENDING
    ends, bad = np.full(load.processes, np.inf), np.zeros(load.processes, np.bool_)
    began, made = np.zeros(load.processes), np.full(load.processes, -np.inf)
    waiting, longest = np.zeros(load.processes, np.int64), np.zeros(load.processes)
    t, stored, hard, flying, process = 0.0, -np.inf, -np.inf, 0, 0
    while t < load.duration or flying > 0:
        soonest = 0
        for one in range(load.processes):
            if ends[one] < ends[soonest]:
                soonest = one
        end = ends[soonest]
        if t < load.duration:
            limit = min(end, load.duration)
            if t < hard:
                limit = min(limit, hard)
            if t < hard and (keeps or flying == 0):
                at = np.inf
                hits(load, out, key, t, limit, stored, hard, 0.0)
            else:
                at = next_arrival(load, key, t)
            if at < limit:
                t, process = at, take(load, key)
                if ends[process] < np.inf:
                    wait, failed = ends[process] - t, bad[process]
                    if wait > load.patience:
                        answer(out, key, t, process, load.patience, FAILED, np.nan)
                    elif failed and keeps and made[process] > -np.inf:
                        # Its age is told; it counts as no wait, as in `record.expiries_of`.
                        answer(out, key, t, process, wait, STALE, ends[process] - made[process])
                        continue
                    else:
                        answer(out, key, t, process, wait, FAILED if failed else WAITED,
                               np.nan if failed else 0.0)  # fmt: skip
                    waiting[process] += 1
                    longest[process] = max(longest[process], min(wait, load.patience))
                elif t < hard:
                    one_hit(load, out, key, t, process, t - stored)
                else:
                    began[process], waiting[process], longest[process] = t, 0, 0.0
                    ends[process], bad[process] = begin_call(
                        load, out, key, t, process, early=False
                    )
                    flying += 1
                continue
            t = limit
            if t < end:
                continue
        t = end
        ends[soonest] = np.inf
        flying -= 1
        wait, failed = t - began[soonest], bad[soonest]
        answer(out, key, began[soonest], soonest, wait, FAILED if failed else COMPUTED,
               np.nan if failed else 0.0)  # fmt: skip
        credit(out, key, 1 + waiting[soonest], max(wait, longest[soonest]))
        if not failed:
            stored, hard, made[soonest] = t, t + _ttl(load), t


@kernel
def _leased(load: Load, out: Out, key: Key) -> None:
    """``lease``: one call at a time; behind its caller where there is a value, before everybody else."""
    t, stored, soft, hard, scale = 0.0, -np.inf, -np.inf, -np.inf, 0.0
    busy, began, failed, waiting, longest = np.inf, 0.0, False, 0, 0.0
    while t < load.duration or busy < np.inf:
        if t < load.duration:
            limit, free = min(busy, load.duration), busy == np.inf
            if t < soft:
                limit = min(limit, soft)
                drawn = scale if free else 0.0
                at = next_early(load, key, soft, drawn, t, limit)
                hits(load, out, key, t, min(at, limit), stored, soft, drawn)
            else:
                if t < hard:
                    limit = min(limit, hard)
                at = next_arrival(load, key, t)
            if at < limit:
                t, process = at, take(load, key)
                if free:
                    busy, failed = begin_call(load, out, key, t, process, t < soft)
                    began, waiting, longest = t, 0, 0.0
                if t < soft:
                    one_hit(load, out, key, t, process, t - stored)
                elif t < hard:
                    answer(out, key, t, process, 0.0, STALE, t - stored)
                else:
                    how = FAILED if failed else COMPUTED if free else WAITED
                    answer(out, key, t, process, busy - t, how, np.nan if failed else 0.0)
                    waiting += 1
                    longest = max(longest, busy - t)
                continue
            t = limit
            if t < busy:
                continue
        t, busy = busy, np.inf
        credit(out, key, waiting, longest)
        if not failed:
            stored, hard = t, t + load.ttl
            soft = t + load.soft * (1.0 - load.jitter * (1.0 - np.random.random()))
            scale = load.beta * (t - began)


_KERNELS = ("fast_arrivals.py", "fast_joint.py", "fast_kernels.py", "fast_rows.py")


def _digest() -> str:
    texts = [(Path(__file__).parent / name).read_bytes() for name in _KERNELS]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _entry() -> Runner:
    # Compiled code is kept on disk for the file it stands in; as a closure it is kept for this text too,
    # so that a change in any of the modules is a change of all.
    text = _digest()

    @kept
    def run(counted_load: Load, counted_out: Out, share: Floats, first: Ints, seed: int) -> int:
        np.random.seed(seed)
        load, out = lent_load(counted_load), lent_out(counted_out)
        if load.kind == COMBINED:
            joint(load, out, share, first)
        counted_place = np.zeros(2, np.int64)
        place = lent_ints(counted_place)
        for number in range(len(share) if load.kind != COMBINED else 0):
            place[0], place[1] = first[number], 0
            key = Key(number, share[number], 0, first[number + 1], place)
            open_key(out, 0)
            if load.kind == ALONE:
                _alone(load, out, key)
            elif load.kind == LOCKED:
                _locked(load, out, key)
            elif load.kind == POLLED:
                _polled(load, out, key)
            elif load.kind == LEASED:
                _leased(load, out, key)
            else:
                _coalesced(load, out, key)
            close_key(out, 0)
        if out.book[MEAN] > 0.0:
            out.book[SEEN + HITS] += np.random.poisson(out.book[MEAN])
        return len(text) + counted_place.size

    return run


run = _entry()
