"""``plantid evaluate``, as a process."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import SandboxServer

PLANTID = Path(sys.executable).parent / "plantid"


@pytest.fixture
def place(tmp_path: Path, model_cache: Path, sandbox: SandboxServer) -> dict[str, str]:
    """Return the settings of a data directory that knows the built models, and the session's sandbox."""
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "models").symlink_to(model_cache / "models")
    return {"PLANTID_DATA_DIR": str(directory), "PLANTID_SANDBOX_URL": sandbox.url}


@pytest.fixture
def table(tmp_path: Path, flower: bytes) -> Path:
    """Return a table of one labelled flower."""
    (tmp_path / "flower.jpg").write_bytes(flower)
    path = tmp_path / "labels.csv"
    path.write_text("file,scientific_name\nflower.jpg,Leucanthemum vulgare\n")
    return path


def plantid(place: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PLANTID, "evaluate", *map(str, arguments)],
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_json_holds_every_provider_s_figures(place: dict[str, str], table: Path) -> None:
    """The sandbox's are marked, and the files that were asked for are written."""
    written = [table.with_name(name) for name in ("report.html", "figures.csv", "answers.csv")]
    report, figures, answers = written

    done = plantid(
        place, table, "--include-sandbox", "--json",
        "--report", report, "--csv", figures, "--answers", answers,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["n"] == 1
    assert list(found["providers"]) == ["plant_id", "plantnet", "offline", "consensus"]
    assert set(found["providers"]["plantnet"]["top1"]) == {"value", "low", "high", "n"}
    assert found["sandbox"] == ["plant_id", "plantnet", "consensus"]
    assert set(found["pairs"][0]["mcnemar"]) == {"only_a", "only_b", "p"}
    assert report.read_text().startswith("<!DOCTYPE html>")
    with figures.open(newline="") as file:
        assert next(csv.reader(file)) == [
            "provider",
            "sandbox",
            "metric",
            "value",
            "low",
            "high",
            "n",
        ]
    with answers.open(newline="") as file:
        assert {row["provider"] for row in csv.DictReader(file)} == set(found["providers"])


def test_people_get_the_finding_first(place: dict[str, str], table: Path) -> None:
    """Then a table; whom the sandbox would have answered for is said."""
    done = plantid(place, table)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Offline model was right first time on")
    assert "Non-plants" in done.stdout
    assert "not asked" in done.stdout


def test_exit_codes_tell_why_there_is_no_evaluation(
    place: dict[str, str], table: Path, tmp_path: Path
) -> None:
    """A bad table is refused input, a missing one wrong usage, only the sandbox nobody to ask."""
    (tmp_path / "bad.csv").write_text("file,scientific_name\nnowhere.jpg,Zea mays\n")

    found = [
        plantid(place, tmp_path / "bad.csv"),
        plantid(place, tmp_path / "nothing.csv"),
        plantid(place, table, "--provider", "plantnet"),
    ]

    assert [one.returncode for one in found] == [3, 2, 4]
    for one in found:
        assert one.stdout == ""
        assert one.stderr.startswith("plantid: ")
        assert one.stderr.count("\n") == 1
    assert "Row 2: there is no file 'nowhere.jpg'" in found[0].stderr
    assert "--include-sandbox" in found[2].stderr
