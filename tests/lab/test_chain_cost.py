"""What the chain's gates cost: the figures follow from the rows measured."""

from __future__ import annotations

import pandas as pd
import pytest

from plantid_core.lab import chain_cost

# Two runs each of a good photo, and of two hostile files: file, kind, gate, ms, passed.
COSTS = pd.DataFrame(
    [
        ("4 × 3", "good", "size", 1.0, True),
        ("4 × 3", "good", "decode", 6.0, True),
        ("4 × 3", "good", "re-encode", 3.0, True),
        *[("lie", "hostile", gate, ms, passed) for gate, ms, passed in (
            ("size", 0.5, True), ("type", 1.5, False), ("size", 1.5, True), ("type", 2.5, False),
        )],
        *[("long-name", "hostile", gate, ms, passed) for gate, ms, passed in (
            ("size", 0.5, True), ("name", 0.5, False), ("size", 0.5, True), ("name", 2.5, False),
        )],
    ],
    columns=["file", "kind", "gate", "ms", "passed"],
)  # fmt: skip


def test_a_refusal_is_told_with_its_gate_and_the_time_up_to_it() -> None:
    """Two runs of (0.5 + 1.5) and (1.5 + 2.5) ms are 3 ms a run, the gates passed included."""
    found = chain_cost.refusals(COSTS).set_index("file")

    assert found["gate"].to_dict() == {"lie": "type", "long-name": "name"}
    assert found["ms"].to_dict() == pytest.approx({"lie": 3.0, "long-name": 2.0})


def test_the_finding_has_the_share_of_the_gates_before_the_decode() -> None:
    """One of ten milliseconds, hostile files left out."""
    said = chain_cost.gates_finding(COSTS)

    assert "takes 10 ms in all; 90.00% of that are its decode and re-encode, 10.00%" in said


def test_only_files_that_are_to_be_refused_are_measured() -> None:
    """A hostile file has a row a run and gate reached; the last one is not passed."""
    costs = chain_cost.measure([], ["php-inside"], 2)

    assert set(costs["kind"]) == {"hostile"}
    assert costs["passed"].tolist() == [True, False] * 2
    assert (costs["ms"] > 0).all()
