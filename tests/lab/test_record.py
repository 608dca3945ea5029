"""Records: which calls belong to one expiry, and figures over weighted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plantid_core.lab.record import (
    CALLS,
    REQUESTS,
    Record,
    expiries_of,
    quantiles,
    table,
    upstream_of,
)
from plantid_core.lab.workload import Workload

if TYPE_CHECKING:
    import pandas as pd


def calls(*rows: tuple[float, float, bool]) -> pd.DataFrame:
    """Return calls of key 0, of begin, end and failed."""
    begin, end, failed = zip(*rows, strict=True)
    count = len(rows)
    return table(CALLS, begin_s=begin, end_s=end, key=[0] * count, process=[0] * count,
                 early=[False] * count, failed=failed)  # fmt: skip


def requests(*rows: tuple[float, float, str, float]) -> pd.DataFrame:
    """Return requests for key 0, of time, wait, how and weight."""
    at, wait, how, weight = zip(*rows, strict=True)
    count = len(rows)
    return table(REQUESTS, t_s=at, key=[0] * count, process=[0] * count, wait_s=wait, how=how,
                 age_s=[0.0] * count, weight=weight)  # fmt: skip


def test_calls_that_begin_before_the_first_success_ended_are_one_expiry() -> None:
    made = calls((0.0, 1.0, False), (0.9, 1.9, False), (1.0, 2.0, False))

    found = expiries_of(made, requests((0.0, 1.0, "computed", 1.0)))

    assert found["calls"].tolist() == [2, 1]


def test_an_expiry_goes_on_until_somebody_succeeds() -> None:
    made = calls((0.0, 1.0, True), (1.0, 2.0, True), (2.0, 3.0, False), (9.0, 10.0, False))

    found = expiries_of(made, requests((0.0, 1.0, "failed", 1.0)))

    assert found["calls"].tolist() == [3, 1]


def test_those_who_waited_count_with_the_expiry_that_answered_them() -> None:
    made = calls((0.0, 1.0, False), (60.0, 61.0, False))
    asked = requests(
        (0.0, 1.0, "computed", 1.0), (0.4, 0.6, "waited", 1.0), (59.99, 1.01, "computed", 1.0),
        (30.0, 0.0, "hit", 1.0),
    )  # fmt: skip

    found = expiries_of(made, asked)

    assert found["waiters"].tolist() == [2, 1]
    assert found["longest_wait_s"].round(2).tolist() == [1.0, 1.01]


def test_no_calls_are_no_expiries() -> None:
    found = expiries_of(calls((0.0, 1.0, False)).iloc[:0], requests((0.0, 0.0, "hit", 1.0)))

    assert found.empty


def test_a_heavy_row_counts_as_the_rows_it_stands_for() -> None:
    asked = requests((0.0, 0.0, "hit", 98.0), (1.0, 2.0, "waited", 1.0), (2.0, 3.0, "waited", 1.0))

    assert quantiles(asked, (0.5, 0.98, 0.99, 0.999)) == [0.0, 0.0, 2.0, 3.0]


def test_a_summary_counts_early_work_beyond_the_first_call_as_wasted() -> None:
    made = calls((0.0, 1.0, False), (0.5, 1.5, False)).assign(early=True)
    asked = requests(
        (0.0, 1.0, "computed", 1.0), (0.5, 1.0, "computed", 1.0), (5.0, 0.0, "hit", 2.0)
    )
    record = Record(
        "xfetch", "fast", Workload(duration_s=10), 1, 4, asked, made, expiries_of(made, asked),
        upstream_of(made["begin_s"].to_numpy(), 10),
    )  # fmt: skip

    row = record.summary().iloc[0]

    assert (row["calls"], row["expiries"], row["wasted_early"]) == (2, 1, 1)
    assert row["waited_share"] == 0.5
    assert np.isclose(row["upstream_mean_per_s"], 0.2)
