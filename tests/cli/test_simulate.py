"""``plantid simulate``: by name, with one's own settings or trace."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pytest

if TYPE_CHECKING:
    from pathlib import Path

SMALL = ("--duration", 60, "--ttl", 5, "--rate", 20)


def plantid(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plantid_core.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_json_is_all_that_is_printed(tmp_path: Path) -> None:
    """One row a strategy, without NaN, and the same rows as CSV; the same seed gives the same again."""
    out = tmp_path / "rows.csv"
    asked = ("simulate", "one-key", "--strategy", "none", "--strategy", "lease", *SMALL, "--json")

    done, again = plantid(*asked, "-o", out), plantid(*asked)
    found = json.loads(done.stdout, parse_constant=refuse_constant)

    assert done.returncode == 0
    assert (found["scenario"], found["engine"], found["seed"]) == ("one-key", "fast", 1)
    assert [row["strategy"] for row in found["rows"]] == ["none", "lease"]
    assert pd.read_csv(out)["calls"].tolist() == [row["calls"] for row in found["rows"]]
    assert json.loads(again.stdout) == found


def test_a_run_without_an_expiry_has_null_for_its_mean() -> None:
    """A mean of nothing is no number."""
    done = plantid("simulate", "one-key", "--strategy", "lease", "--rate", 0.001, "--duration", 1,
                   "--seed", 1, "--json")  # fmt: skip

    row = json.loads(done.stdout, parse_constant=refuse_constant)["rows"][0]

    assert (row["expiries"], row["calls_per_expiry"]) == (0, None)


def test_a_table_and_the_settings_are_printed() -> None:
    """The faithful engine runs too; ``--env`` adds lines that begin with the app's prefix."""
    done = plantid(
        "simulate", "one-key", "--strategy", "lease", *SMALL, "--engine", "faithful", "--env"
    )

    assert done.returncode == 0
    assert "One popular key" in done.stdout
    assert "\nPLANTID_HARD_TTL_S=5\n" in done.stdout


def test_a_trace_is_replayed(tmp_path: Path) -> None:
    """The rows are of the trace's own requests."""
    path = tmp_path / "trace.csv"
    path.write_text("time,key\n0,a\n5,a\n90,a\n")

    done = plantid("simulate", "one-key", "--strategy", "lease", "--trace", path, "--json")

    assert json.loads(done.stdout)["rows"][0]["requests"] == 3


def test_a_bad_trace_ends_with_3(tmp_path: Path) -> None:
    """One line tells which line of it is bad."""
    path = tmp_path / "trace.csv"
    path.write_text("time,key\n0,a\nsoon,a\n")

    done = plantid("simulate", "one-key", "--trace", path, "--json")

    assert (done.returncode, done.stdout) == (3, "")
    assert "Line 3 of the trace" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope",), "flash-crowd"),
        (("one-key", "--strategy", "nope"), "redis-lock"),
        (("one-key", "--ttl", "-1"), "ttl_s must be above 0"),
        (("one-key", "--scheduler", "nope"), "tcp://"),
        (("beta-sweep", "--beta", "1"), "many values"),
        (("outage", "--rate", "5"), "settings of its own"),
    ],
)
def test_what_cannot_be_is_a_usage_error(arguments: tuple[str, ...], said: str) -> None:
    """The sentence says what may be."""
    done = plantid("simulate", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
