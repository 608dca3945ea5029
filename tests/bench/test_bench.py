"""Benchmarks: the contract of what they hand back, and that they measure what they say."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from plantid_core.bench import Ratio, Report, Row, attack
from plantid_core.bench.timing import interleaved


def plantid(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plantid_core.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


def test_report_has_the_fields_of_its_contract() -> None:
    """Rows, ratios and the machine, as programs read them."""
    row = Row.of("case", "ours", "time", "ms", [3.0, 1.0, 2.0])
    report = Report("upload", (row,), (Ratio("a", 0.5, "x", 0.4), Ratio("b", 3.0, "ms", 3.0)))

    found = report.to_dict()

    assert set(found) == {"bench", "machine", "rows", "ratios"}
    assert found["rows"] == [
        {"case": "case", "contestant": "ours", "metric": "time", "unit": "ms",
         "median": 2.0, "min": 1.0, "max": 3.0, "n": 3}
    ]  # fmt: skip
    assert found["ratios"] == [
        {"name": "a", "value": 0.5, "unit": "x", "bar": 0.4, "holds": False},
        {"name": "b", "value": 3.0, "unit": "ms", "bar": 3.0, "holds": True},
    ]
    assert set(found["machine"]) == {"cpu", "cores", "python", "load"}  # type: ignore[call-overload]


def test_rivals_take_turns() -> None:
    """One round after another, the warm-up not counted."""
    turns: list[str] = []
    taken = interleaved({"a": lambda: turns.append("a"), "b": lambda: turns.append("b")}, 3)

    assert turns == ["a", "b"] * 4
    assert {name: len(values) for name, values in taken.items()} == {"a": 3, "b": 3}


def test_unknown_benchmark_is_a_usage_error() -> None:
    """The names that there are, are told."""
    done = plantid("bench", "nope")

    assert done.returncode == 2
    assert "upload" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_flood_is_judged_right_while_a_probe_is_answered() -> None:
    """A short flood: every verdict right, no zombie, every probe answered."""
    report = attack.run(lambda _: None, files=60, probes=3, pause_s=0.0)

    figures = {ratio.name: ratio for ratio in report.ratios}
    assert figures["wrong verdicts"].holds
    assert figures["zombies"].holds
    assert report.median("under attack", "flood", "files") >= 60
    assert [row.n for row in report.rows if row.contestant == "probe"] == [3, 3]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_upload_benchmark_prints_json_and_nothing_else() -> None:
    """The whole benchmark, as a program calls it; memory is held, whatever the machine's speed."""
    done = plantid("bench", "upload", "--json")

    found = json.loads(done.stdout)

    ratios = {ratio["name"]: ratio for ratio in found["ratios"]}
    assert done.returncode == 0
    assert ratios["worst accepted file: worker's peak"]["holds"]
    assert ratios["refusals: largest peak above base"]["holds"]
