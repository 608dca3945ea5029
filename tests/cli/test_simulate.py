"""``plantid simulate``: by name, with one's own settings or trace."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import joblib  # type: ignore[import-untyped]
import pandas as pd
import pytest

from plantid_core import cli
from plantid_core.lab import scenarios, theory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Plantid = Callable[..., "Done"]

SMALL = ("--duration", 60, "--ttl", 5, "--rate", 20)
# A million keys take a minute: too long for a test.
QUICK = [name for name in scenarios.SCENARIOS if name != "internet"]


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def plantid(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Plantid]:
    """Return the command, in this process and its threads: to start others takes seconds."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["plantid", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    with joblib.parallel_config(backend="threading"):
        yield run


def strict(text: str) -> dict[str, Any]:
    """Return what JSON says; NaN and infinities are none."""
    found: dict[str, Any] = json.loads(text, parse_constant=refuse_constant)
    return found


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def test_json_is_all_that_is_printed(plantid: Plantid, tmp_path: Path) -> None:
    """One row a strategy, and the same rows as CSV; a process of its own prints the same again."""
    out = tmp_path / "rows.csv"
    asked = ("simulate", "one-key", "--strategy", "lease", *SMALL, "--json")

    done = plantid(*asked, "-o", out)
    again = subprocess.run(
        [sys.executable, "-m", "plantid_core.cli", *map(str, asked)],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    found = strict(done.stdout)
    assert (done.code, found["scenario"], found["engine"], found["seed"]) == (
        0, "one-key", "fast", 1,
    )  # fmt: skip
    assert [row["strategy"] for row in found["rows"]] == ["lease"]
    assert pd.read_csv(out)["calls"].tolist() == [row["calls"] for row in found["rows"]]
    assert (again.stdout, again.stderr) == (done.stdout, "")


@pytest.mark.parametrize("name", QUICK)
def test_every_scenario_is_told_in_json(
    plantid: Plantid, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows, without what is no number, and 0 in the end."""
    monkeypatch.setattr(scenarios, "_BREAKER_SEEDS", 1)

    done = plantid("simulate", name, "--json")

    assert (done.code, done.stderr) == (0, "")
    assert len(strict(done.stdout)["rows"]) > 1


def test_a_check_that_fails_ends_with_5(plantid: Plantid, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bar that nothing drawn at random can meet; the rows are told all the same."""
    monkeypatch.setattr(theory, "BAR_PERCENT", 0.0)

    done = plantid("simulate", "theory", "--json")

    assert done.code == 5
    assert not any(row["holds"] for row in strict(done.stdout)["rows"])


def test_a_run_without_an_expiry_has_null_for_its_mean(plantid: Plantid) -> None:
    """A mean of nothing is no number."""
    done = plantid("simulate", "one-key", "--strategy", "lease", "--rate", 0.001, "--duration", 1,
                   "--json")  # fmt: skip

    row = strict(done.stdout)["rows"][0]

    assert (row["expiries"], row["calls_per_expiry"]) == (0, None)


def test_a_table_and_the_settings_are_printed(plantid: Plantid) -> None:
    """The faithful engine runs too; ``--env`` adds lines that begin with the app's prefix."""
    done = plantid(
        "simulate", "one-key", "--strategy", "lease", *SMALL, "--engine", "faithful", "--env"
    )

    assert done.code == 0
    assert "One popular key" in done.stdout
    assert "\nPLANTID_HARD_TTL_S=5\n" in done.stdout


@pytest.fixture
def trace_csv(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text("time,key\n0,a\n5,a\n90,a\n")
    return path


def test_a_trace_is_replayed(plantid: Plantid, trace_csv: Path) -> None:
    """The rows are of the trace's own requests, and it is described; one key has no exponent."""
    done = plantid("simulate", "one-key", "--strategy", "lease", "--trace", trace_csv, "--json")

    found = strict(done.stdout)
    assert found["rows"][0]["requests"] == 3
    assert (found["trace"]["requests"], found["trace"]["zipf_s"]) == (3, None)


def test_a_trace_s_table_tells_the_trace(plantid: Plantid, trace_csv: Path) -> None:
    """Not the scenario whose cache it is replayed through."""
    done = plantid("simulate", "one-key", "--strategy", "lease", "--trace", trace_csv)

    assert "Your trace" in done.stdout
    assert "3 requests for 1 key in 90 s" in done.stdout
    assert "popular key" not in done.stdout


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("time,key\n0,a\nsoon,a\n", "Line 3 of the trace"),
        ("a,b\n1,2\n", "columns time and key are missing"),
        ("time,key\n0,a\n100000000,b\n", "at most 10,000,000 s"),
        ("time,key\n1,a\n1,b\n", "one moment"),
        ("", "no request"),
    ],
    ids=["line", "columns", "years", "moment", "nothing"],
)
def test_a_bad_trace_ends_with_3(plantid: Plantid, tmp_path: Path, rows: str, said: str) -> None:
    """One line tells what is bad."""
    path = tmp_path / "trace.csv"
    path.write_text(rows)

    done = plantid("simulate", "one-key", "--trace", path, "--json")

    assert (done.code, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert said in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope",), "flash-crowd"),
        (("one-key", "--strategy", "nope"), "redis-lock"),
        (("one-key", "--ttl", "-1"), "ttl_s must be above 0"),
        (("one-key", "--rate", "nan"), "rate must be"),
        (("one-key", "--seed", "-1"), "greater than or equal to 0"),
        (("one-key", "--keys", "0"), "keys must be from 1"),
        (("one-key", "--scheduler", "nope"), "tcp://"),
        (("one-key", "--rate", "1e12", "--strategy", "lease"), "Lower the rate"),
        (("one-key", "--rate", "1e7", "--json"), "Lower the rate"),
        (("one-key", "--duration", "1e9", "--strategy", "lease"), "Shorten the duration"),
        (("one-key", "--rate", "1e9", "--engine", "faithful"), "faithful engine takes at most"),
        (("one-key", "-o", "/nonexistent/rows.csv"), "is no folder"),
        (("beta-sweep", "--beta", "1"), "many values"),
        (("beta-sweep", "--env"), "no --env"),
        (("theory", "--scheduler", "tcp://127.0.0.1:1"), "runs here"),
        (("outage", "--rate", "5"), "settings of its own"),
        (("outage", "--engine", "faithful"), "no faithful engine"),
    ],
)
def test_what_cannot_be_is_a_usage_error(
    plantid: Plantid, arguments: tuple[str, ...], said: str
) -> None:
    """The sentence says what may be."""
    done = plantid("simulate", *arguments)

    assert (done.code, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_rows_that_cannot_be_written_are_a_usage_error(plantid: Plantid, tmp_path: Path) -> None:
    """A folder is no file."""
    done = plantid("simulate", "one-key", "--strategy", "lease", *SMALL, "-o", tmp_path)

    assert (done.code, done.stdout) == (2, "")
    assert "could not be written" in done.stderr
