"""The simulation's benchmark, small: its structure and what it counts. Speed is no test's business."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from plantid_core.bench import NAMES, simulate
from plantid_core.lab.workload import Workload

SIZE = simulate.Size(
    fast_s=3000.0, simpy_s=300.0, rounds=2, expiries=300, keys=200, rate=50.0, duration_s=200.0
)


def test_every_part_has_its_rows_and_bars() -> None:
    """Both engines, theory, and many keys; the two engines agree."""
    told: list[str] = []

    report = simulate.run(told.append, size=SIZE, strategies=("none", "lease"))

    contestants = {row.contestant for row in report.rows}
    bars = {ratio.name: ratio for ratio in report.ratios}
    assert "simulate" in NAMES
    assert {"fast", "simpy", "theory", "closed form", "xfetch", "lease"} <= contestants
    assert len([name for name in bars if name.endswith("off theory")]) == 6
    assert len([name for name in bars if "at scale" in name]) == 6
    assert bars["none: calls per expiry, fast and simpy apart, in standard errors"].holds
    assert told


def test_simpy_is_left_out_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its absence is told, and the rest runs."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    told: list[str] = []

    report = simulate.run(told.append, size=SIZE, strategies=("none",))

    assert any("simpy is left out" in line for line in told)
    assert {row.contestant for row in report.rows} >= {"fast", "theory"}
    assert not [ratio for ratio in report.ratios if "simpy" in ratio.name]


def test_simpy_plays_the_lease() -> None:
    """One call an expiry, and requests as many as were to come."""
    pytest.importorskip("simpy")
    model = simulate.Simpy("lease", replace(Workload(), rate=50.0, ttl_s=5.0, duration_s=100.0), 1)

    model.run()

    assert model.requests == pytest.approx(5000, abs=5 * 5000**0.5)
    assert all(
        later - earlier > 0.2
        for earlier, later in zip(model.begins, model.begins[1:], strict=False)
    )
