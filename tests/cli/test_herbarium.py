"""``plantid herbarium``, as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from herbaria import FLOWER, TEMPLE, labelled
from typer.testing import CliRunner

from plantid_core.cli import herbarium

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result


def plantid(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PLANTID_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "plantid_core.cli", "herbarium", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def run(*words: str) -> Result:
    return CliRunner().invoke(herbarium.app, words)


@pytest.fixture
def data_dir(tmp_path: Path, model_cache: Path) -> Path:
    """Return a data directory whose image model is built."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "models").symlink_to(model_cache / "models")
    return tmp_path / "data"


def test_built_shown_and_forgotten(
    tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON alone on stdout, sentences for people, and nothing left in the end."""
    photos = labelled(tmp_path / "photos", flowers=3, temples=1)

    built = plantid(data_dir, "build", str(photos), "--json")
    monkeypatch.setenv("PLANTID_DATA_DIR", str(data_dir))
    shown, forgotten, gone = run("show"), run("forget", "--yes", "--json"), run("show")

    told = json.loads(built.stdout)
    assert {one["scientific_name"]: one["photos"] for one in told["species"]} == {
        FLOWER: 3,
        TEMPLE: 1,
    }
    assert (told["embedded"], told["refused"], told["figures"]["lone"]) == (4, [], 1)
    assert "1 plant has a single photo" in shown.stdout
    assert json.loads(forgotten.stdout) == {"forgotten": True}
    assert [path.name for path in data_dir.iterdir()] == ["models"]
    assert gone.exit_code == 3
    assert "plantid herbarium build" in gone.stderr


def test_a_folder_without_photos_is_refused(tmp_path: Path, data_dir: Path) -> None:
    """In one line, with the exit code of a refused input."""
    done = plantid(data_dir, "build", str(tmp_path))

    assert (done.returncode, done.stdout) == (3, "")
    assert "no labelled photo" in done.stderr
    assert "Traceback" not in done.stderr
