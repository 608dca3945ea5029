"""From what the client processes saw to the tables of a `Record`.

How a request was answered is told by when its value was made:

- *failed*: it got an error, or no value (None).
- *computed*: its own thread made the value.
- *waited*: the value was made after it came; or it got an older one, but took longer than `SLACK_S`, and
  meanwhile, or within `SLACK_S` before it came, a call for its key ended.
- *stale*: at its return the value was older than the soft TTL and `SLACK_S`.
- *hit*: anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from plantid_core.lab import record

if TYPE_CHECKING:
    import pandas as pd

    from plantid_core.lab.live.orders import Flags, Ints, Seen
    from plantid_core.lab.workload import Floats, Workload

# Between a value's making and its being in the cache, and known to be there.
SLACK_S: Final = 0.005
# Calls that begin so soon after an expiry's first success did its work again.
GRACE_S: Final = 0.05
# Redis counts a TTL in whole milliseconds, and from a whole one.
_GRAIN_S = 0.002
# More than any run lasts, its warm-up and its grace included.
_APART_S = 1000.0

_HIT, _STALE, _WAITED, _COMPUTED, _FAILED = range(5)


@dataclass(frozen=True, slots=True)
class Rows:
    """The answers and calls of all processes, in seconds since the run's beginning."""

    due: Floats
    begin: Floats
    end: Floats
    made: Floats
    ran: Flags
    key: Ints
    process: Ints
    call_begin: Floats
    call_end: Floats
    call_key: Ints
    call_process: Ints
    call_failed: Flags

    @classmethod
    def of(cls, seen: list[Seen], shares: list[tuple[Floats, Ints]], at: float) -> Rows:
        """Return the rows of what each process saw of its share: times due, and keys."""
        answers, calls = [one.answers for one in seen], [one.calls for one in seen]
        pairs = list(zip(answers, shares, strict=True))
        return cls(
            due=_joined([due[one.index] for one, (due, _) in pairs]),
            begin=_joined([one.begin - at for one in answers]),
            end=_joined([one.end - at for one in answers]),
            made=_joined([one.made - at for one in answers]),
            ran=np.concatenate([one.ran for one in answers]),
            key=np.concatenate([keys[one.index] for one, (_, keys) in pairs]),
            process=_numbered([len(one.index) for one in answers]),
            call_begin=_joined([one.begin - at for one in calls]),
            call_end=_joined([one.end - at for one in calls]),
            call_key=np.concatenate([one.key for one in calls]),
            call_process=_numbered([len(one.key) for one in calls]),
            call_failed=np.concatenate([one.failed for one in calls]),
        )

    def lateness_s(self) -> Floats:
        """Return how long after it was due each request was sent."""
        return np.asarray((self.begin - self.due)[self.due >= 0], np.float64)

    def most_in_flight(self) -> int:
        """Return the most requests of any process that waited for their answers at once."""
        most = 0
        for process in np.unique(self.process):
            own = self.process == process
            times = np.concatenate([self.begin[own], self.end[own]])
            steps = np.repeat([1, -1], int(own.sum()))[np.argsort(times, kind="stable")]
            most = max(most, int(np.cumsum(steps).max()))
        return most

    def warmed_s(self) -> dict[int, float]:
        """Return when the values were made that the run began with, by key; below 0."""
        before = (self.call_end < 0) & ~self.call_failed
        order = np.argsort(self.call_end[before])
        keys, ends = self.call_key[before][order], self.call_end[before][order]
        return {int(key): float(end) for key, end in zip(keys, ends, strict=True)}


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts).astype(np.float64)


def _numbered(lengths: list[int]) -> Ints:
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def requests_table(rows: Rows, soft_s: float) -> pd.DataFrame:
    """Return the ``requests`` of a record, in the order in which they were sent."""
    kept = rows.due >= 0
    order = np.argsort(rows.begin[kept], kind="stable")
    taken = np.flatnonzero(kept)[order]
    return record.table(
        record.REQUESTS,
        t_s=rows.begin[taken],
        key=rows.key[taken],
        process=rows.process[taken],
        wait_s=(rows.end - rows.begin)[taken],
        how=_how(rows, soft_s)[taken],
        age_s=np.maximum(rows.end - rows.made, 0.0)[taken],
        weight=np.ones(len(taken)),
    )


def _how(rows: Rows, soft_s: float) -> Ints:
    how = np.full(len(rows.begin), _HIT, np.int64)
    how[rows.end - rows.made > soft_s + SLACK_S] = _STALE
    how[_saw_the_end_of_a_call(rows) & (rows.end - rows.begin > SLACK_S)] = _WAITED
    how[rows.made > rows.begin] = _WAITED
    how[rows.ran] = _COMPUTED
    how[np.isnan(rows.made)] = _FAILED
    return how


def _saw_the_end_of_a_call(rows: Rows) -> Flags:
    ends = np.sort(_placed(rows.call_key, rows.call_end))
    before = np.searchsorted(ends, _placed(rows.key, rows.begin - SLACK_S), side="left")
    return before < np.searchsorted(ends, _placed(rows.key, rows.end), side="right")


def _placed(keys: Ints, times_s: Floats) -> Floats:
    """Return times in which keys follow one another, so that one sorted array serves them all."""
    return keys * _APART_S + times_s


def calls_table(rows: Rows, soft_s: float) -> pd.DataFrame:
    """Return the ``calls`` of a record, in their order.

    Early ones begin before ``soft_s`` have passed since the last value of their key was made.
    """
    kept = np.flatnonzero(rows.call_begin >= 0)
    taken = kept[np.argsort(rows.call_begin[kept], kind="stable")]
    return record.table(
        record.CALLS,
        begin_s=rows.call_begin[taken],
        end_s=rows.call_end[taken],
        key=rows.call_key[taken],
        process=rows.call_process[taken],
        early=_early(rows, soft_s)[taken],
        failed=rows.call_failed[taken],
    )


def _early(rows: Rows, soft_s: float) -> Flags:
    made = ~rows.call_failed
    ends = np.sort(_placed(rows.call_key[made], rows.call_end[made]))
    begins = _placed(rows.call_key, rows.call_begin)
    last = np.concatenate([[-np.inf], ends])[np.searchsorted(ends, begins, side="right")]
    # Where the last one is another key's, this key had none.
    own = last > _placed(rows.call_key, np.full(len(begins), -_APART_S / 2))
    return own & (begins < last + soft_s - _GRAIN_S)


def made_record(
    strategy: str, workload: Workload, seed: int, offered: int, rows: Rows
) -> record.Record:
    """Return the record of a run."""
    requests = requests_table(rows, workload.soft_s)
    # With a jitter: by the earliest possible expiry, since nobody tells which was drawn.
    calls = calls_table(rows, workload.soft_s * (1 - workload.jitter))
    grace = min(GRACE_S, workload.soft_s / 10)
    begins = calls["begin_s"].to_numpy()
    return record.Record(
        strategy=strategy,
        source="live",
        workload=workload,
        seed=seed,
        offered=offered,
        requests=requests,
        calls=calls,
        expiries=record.expiries_of(calls, requests, grace),
        upstream=record.upstream_of(begins, workload.duration_s),
    )
