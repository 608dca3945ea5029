"""What a simulated run leaves behind, in compiled code: rows in arrays that never grow.

Where an array is full, each of its rows is kept with chance 1/2, and so are those that come after: what
is kept stays a fair sample, however long the run.
"""

# ruff: noqa: NPY002 - compiled code draws from its thread's own stream, seeded by each run

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from plantid_core.lab.simulate.fast_arrivals import (
    Key,
    Load,
    expected,
    expected_early,
    inlined,
    kernel,
    lent,
    lent_ints,
    next_at,
    point_at,
    until,
)

if TYPE_CHECKING:
    from plantid_core.lab.simulate.fast_arrivals import Ints
    from plantid_core.lab.workload import Floats

COLUMNS = 6
# Which table, in ``Out.count``, ``Out.seen`` and ``Out.kept``.
CALLS, EXPIRIES, SLOW, HITS = 0, 1, 2, 3
COUNT, SEEN, KEPT, MEAN, SKIP, BOOK = 0, 4, 8, 12, 13, 14
# As `record.HOW` has them.
HIT, STALE, WAITED, COMPUTED, FAILED = 0, 1, 2, 3, 4
CONSTANT, EXPONENTIAL = 0, 1
# Of the open expiry: t, key, calls, waiters, longest wait, early, over.
_CALLS, _WAITERS, _LONGEST, _OVER = 2, 3, 4, 6


class Out(NamedTuple):
    """Tables of `COLUMNS` columns, in the order of `record`'s.

    ``hits`` and ``slow`` are requests: those that were nothing but answered from the cache, and all others.
    ``book`` (14,): of each table (`CALLS` and so on, after `COUNT`, `SEEN`, `KEPT`) the rows in use, the rows
    that were offered, and the chance at which they are kept now; then `MEAN`, hits that are expected beside
    those seen, and `SKIP`, replayed hits until the next row. ``open`` (slots, 7) is each key's expiry under
    way, and when it ends.
    """

    calls: Floats
    expiries: Floats
    slow: Floats
    hits: Floats
    upstream: Ints
    book: Floats
    open: Floats


@kernel
def lent_out(out: Out) -> Out:
    """Return the same, of views; see `lent`."""
    return Out(
        lent(out.calls), lent(out.expiries), lent(out.slow), lent(out.hits),
        lent_ints(out.upstream), lent(out.book), lent(out.open),
    )  # fmt: skip


@inlined
def room(out: Out, which: int, rows: Floats) -> int:
    """Return where the next row goes, or -1 for one that is not kept."""
    out.book[SEEN + which] += 1.0
    if out.book[KEPT + which] < 1.0 and np.random.random() >= out.book[KEPT + which]:
        return -1
    count = int(out.book[COUNT + which])
    if count == len(rows):
        left = 0
        for place in range(count):
            if np.random.random() < 0.5:  # noqa: PLR2004
                rows[left] = rows[place]
                left += 1
        out.book[KEPT + which] *= 0.5
        count = left
        out.book[COUNT + which] = count
        if count == len(rows) or np.random.random() >= 0.5:  # noqa: PLR2004
            return -1
    out.book[COUNT + which] = count + 1
    return count


@inlined
def put(  # noqa: PLR0913, PLR0917
    rows: Floats, place: int, a: float, b: float, c: float, d: float, e: float, f: float
) -> None:
    """Write a row."""
    row = rows[place]
    row[0], row[1], row[2], row[3], row[4], row[5] = a, b, c, d, e, f


@kernel
def open_key(out: Out, slot: int) -> None:
    """Begin with a key that has no value."""
    out.open[slot, _OVER] = -np.inf
    out.open[slot, _CALLS] = 0.0


@kernel
def close_key(out: Out, slot: int) -> None:
    """Write the key's last expiry."""
    row = out.open[slot]
    if row[_CALLS] > 0:
        place = room(out, EXPIRIES, out.expiries)
        if place >= 0:
            out.expiries[place] = row[:COLUMNS]
        row[_CALLS] = 0.0


@kernel
def took(load: Load) -> float:
    """Return how long making a value takes this time."""
    if load.spread == CONSTANT:
        return load.mean
    if load.spread == EXPONENTIAL:
        return -load.mean * math.log(1.0 - np.random.random())
    return math.exp(math.log(load.mean) - load.sigma**2 / 2 + load.sigma * np.random.normal())


@inlined
def begin_call(
    load: Load,
    out: Out,
    key: Key,
    t: float,
    process: int,
    early: bool,  # noqa: FBT001
) -> tuple[float, bool]:
    """Begin a call upstream; return when it ends, and whether it fails.

    It belongs to the open expiry until the first success of that has ended, as `record.expiries_of` has it.
    """
    end = t + took(load)
    failed = load.fail_rate > 0.0 and np.random.random() < load.fail_rate
    out.upstream[min(int(t), len(out.upstream) - 1)] += 1
    place = room(out, CALLS, out.calls)
    if place >= 0:
        put(out.calls, place, t, end, key.number, process, early, failed)
    if t >= out.open[key.slot, _OVER]:
        close_key(out, key.slot)
        put(out.open, key.slot, t, key.number, 0.0, 0.0, 0.0, early)
        out.open[key.slot, _OVER] = np.inf
    out.open[key.slot, _CALLS] += 1.0
    if not failed:
        out.open[key.slot, _OVER] = min(out.open[key.slot, _OVER], end)
    return end, failed


@inlined
def credit(out: Out, key: Key, waiters: int, longest: float) -> None:
    """Count requests, just answered, that had to wait for the expiry under way."""
    row = out.open[key.slot]
    row[_WAITERS] += waiters
    row[_LONGEST] = max(row[_LONGEST], longest)


@inlined
def answer(out: Out, key: Key, t: float, process: int, wait: float, how: int, age: float) -> None:
    """Write the row of a request that was not just a hit."""
    place = room(out, SLOW, out.slow)
    if place >= 0:
        put(out.slow, place, t, key.number, process, wait, how, age)


@kernel
def one_hit(load: Load, out: Out, key: Key, t: float, process: int, age: float) -> None:
    """Count one hit of which the time is known."""
    out.book[SEEN + HITS] += 1
    if np.random.random() < load.keep and int(out.book[COUNT + HITS]) < len(out.hits):
        put(out.hits, int(out.book[COUNT + HITS]), t, key.number, process, 0.0, HIT, age)
        out.book[COUNT + HITS] += 1.0


@kernel
def hits(  # noqa: PLR0913, PLR0917
    load: Load,
    out: Out,
    key: Key,
    begin: float,
    end: float,
    stored: float,
    soft: float,
    scale: float,
) -> None:
    """Count the hits in [begin, end) of a value, and write rows of a share of them.

    ``scale`` above 0: those that would have drawn an early recomputation are not among them.
    """
    if end <= begin:
        return
    if load.replay:
        _replayed_hits(load, out, key, end, stored)
        return
    mean = expected(load, key, begin, end)
    whole = mean / key.share
    if scale > 0.0:
        mean -= expected_early(load, key, soft, scale, begin, end)
    out.book[MEAN] += max(0.0, mean) * (1.0 - load.keep)
    if load.keep <= 0.0:
        return
    # The next row's time by inversion of u; no u above the mean gives one before the end.
    share = key.share * load.keep
    u = np.random.random()
    if u >= share * whole:
        return
    at = point_at(load, key, begin, share, -math.log(1.0 - u))
    while at < end:
        # So early a draw is one of the process that `next_early` follows, and none of this one.
        if scale <= 0.0 or np.random.random() >= math.exp((at - soft) / scale):
            out.book[SEEN + HITS] += 1
            _hit_row(load, out, key, at, stored)
        at = next_at(load, key, at, share)


@kernel
def _replayed_hits(load: Load, out: Out, key: Key, end: float, stored: float) -> None:
    begin, stop = key.place[0], until(load, key, end)
    out.book[SEEN + HITS] += stop - begin
    key.place[0] = stop
    if load.keep <= 0.0:
        return
    place = begin + int(out.book[SKIP])
    while place < stop:
        _hit_row(load, out, key, load.times[place], stored)
        place += 1
        if load.keep < 1.0:
            place += int(math.log(1.0 - np.random.random()) / math.log(1.0 - load.keep))
    out.book[SKIP] = place - stop


@kernel
def _hit_row(load: Load, out: Out, key: Key, at: float, stored: float) -> None:
    if int(out.book[COUNT + HITS]) < len(out.hits):
        process = np.random.randint(0, load.processes) if load.processes > 1 else 0
        put(out.hits, int(out.book[COUNT + HITS]), at, key.number, process, 0.0, HIT, at - stored)
        out.book[COUNT + HITS] += 1.0
