"""The simulator beside real processes: the shape of the report, and what must hold however busy it is."""

from __future__ import annotations

import pytest

from plantid_core.bench import live_vs_sim


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_live_and_simulated_figures_stand_side_by_side() -> None:
    names = ("none", "lease")
    report = live_vs_sim.run(lambda _: None, rounds=1, loads=(3.0,), strategies=names, shorter=0.4)

    cases = {(row.case, row.contestant, row.metric) for row in report.rows}
    for name in names:
        for source in ("live", "simulated"):
            assert (f"load 3, {source}", name, "calls an expiry") in cases
            assert (f"load 3, {source}", name, "wait p99") in cases
    assert len(report.ratios) == 2 * len(names)
    assert report.median("load 3, simulated", "none", "calls an expiry") > 2
    assert report.median("load 3, simulated", "lease", "calls an expiry") < 1.1


def test_a_figure_within_the_live_range_is_off_by_nothing() -> None:
    within = live_vs_sim.Pair([1.0, 2.0, 9.0], [8.0, 8.0, 8.0])
    beyond = live_vs_sim.Pair([1.0, 2.0, 3.0], [4.0, 4.0, 4.0])

    assert (within.inside(), beyond.inside()) == (True, False)
    assert beyond.off_percent() == 100.0
