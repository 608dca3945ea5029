"""What one strategy did around an expiry, in the figures that a lane of the waterfall is headed with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plantid_core.lab.record import Record

# Below this a request was answered at once, whatever the strategy did behind it.
AT_ONCE_S = 0.005


@dataclass(frozen=True, slots=True)
class Lane:
    """Durations in seconds; ``stale_s`` is how long past its soft expiry the oldest answer was."""

    strategy: str
    calls: int
    failed_calls: int
    waiters: int
    longest_wait_s: float
    stale: int
    stale_s: float
    failed: int

    @classmethod
    def of(cls, record: Record) -> Lane:
        """Return the figures of a record that holds one expiry."""
        requests = record.requests
        stale = requests.loc[requests["how"] == "stale"]
        slow = requests.loc[requests["wait_s"] > AT_ONCE_S]
        over = stale["age_s"].max() - record.workload.soft_s if len(stale) else 0.0
        return cls(
            strategy=record.strategy,
            calls=len(record.calls),
            failed_calls=int(record.calls["failed"].sum()),
            waiters=int(slow["weight"].sum()),
            longest_wait_s=float(requests["wait_s"].max()) if len(requests) else 0.0,
            stale=int(stale["weight"].sum()),
            stale_s=max(0.0, float(over)),
            failed=int(requests.loc[requests["how"] == "failed", "weight"].sum()),
        )


def around(
    record: Record, lead_s: float, after_s: float, warmed_s: Mapping[int, float] | None = None
) -> Record | None:
    """Return the record cut to one expiry of its most asked key, times from the value's soft expiry.

    ``warmed_s``: when the values were made that the run began with, by key. Of the expiries whose
    value's making is known, the one with the median number of calls, so that no lucky one is shown;
    None where the record holds no such expiry. A jittered lifetime is not known from outside: the
    soft expiry is then that of the full lifetime.
    """
    if record.requests.empty or record.expiries.empty:
        return None
    weights = np.bincount(record.requests["key"], weights=record.requests["weight"])
    key = int(weights.argmax())
    made = record.expiries.loc[record.expiries["key"] == key].sort_values("t_s")
    calls = record.calls.loc[(record.calls["key"] == key) & ~record.calls["failed"]]
    first = [(warmed_s or {}).get(key, np.nan)]
    ends = np.sort(np.concatenate([first, calls["end_s"].to_numpy()]))  # an unknown one is last
    before = np.searchsorted(ends, made["t_s"].to_numpy(), side="right") - 1
    known = made.loc[before >= 0]
    if known.empty:
        return None
    ordered = known.sort_values("calls", kind="stable")
    chosen = ordered.iloc[(len(ordered) - 1) // 2]
    born = ends[np.searchsorted(ends, chosen["t_s"], side="right") - 1]
    return _cut(record, key, float(born) + record.workload.soft_s, (-lead_s, after_s))


def _cut(record: Record, key: int, zero_s: float, window: tuple[float, float]) -> Record:
    tables = {}
    for name, column in (("requests", "t_s"), ("calls", "begin_s"), ("expiries", "t_s")):
        rows = getattr(record, name)
        rows = rows.loc[rows["key"] == key].copy()
        rows[column] -= zero_s
        if name == "calls":
            rows["end_s"] -= zero_s
        tables[name] = rows.loc[rows[column].between(*window)].reset_index(drop=True)
    return replace(record, offered=len(tables["requests"]), **tables)
