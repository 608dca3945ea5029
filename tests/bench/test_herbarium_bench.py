"""The herbarium's benchmark, in small."""

from __future__ import annotations

import pytest

from plantid_core.bench import herbarium


@pytest.mark.slow
def test_it_measures_rates_an_answer_and_how_well_it_knows() -> None:
    """Every figure is there; the bars are those of 40 and 12 photos a second and 50 ms."""
    report = herbarium.run(lambda _: None, small=8, large=2, rounds=1, answers=2)

    metrics = {row.metric for row in report.rows}
    assert {"rate", "time", "top-1, one copy left out, 4 of its photo kept"} <= metrics
    shares = [row.median for row in report.rows if row.unit == "share"]
    assert all(0.5 <= share <= 1 for share in shares)
    assert [round(ratio.bar, 1) for ratio in report.ratios] == [25.0, 83.3, 50.0]
