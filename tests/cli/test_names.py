"""``plantid names``: load a checklist, show a name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from checklists import CITRUS, wcvp

if TYPE_CHECKING:
    from pathlib import Path


def plantid(data_dir: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plantid_core.cli", "names", *map(str, arguments)]
    environment = {**os.environ, "PLANTID_DATA_DIR": str(data_dir), "COLUMNS": "200"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )


def test_a_checklist_is_loaded_and_counted(tmp_path: Path) -> None:
    """With --json, stdout is one object."""
    path = wcvp(tmp_path / "wcvp_names.csv", CITRUS)

    done = plantid(tmp_path / "data", "load", path, "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout) == {
        "file": str(path), "kind": "wcvp", "names": 5, "synonyms": 2, "skipped": 0,
    }  # fmt: skip


def test_another_file_is_refused_with_exit_3(tmp_path: Path) -> None:
    """One line tells which columns were looked for."""
    path = tmp_path / "shopping.txt"
    path.write_text("apples\npears\n")

    done = plantid(tmp_path / "data", "load", path)

    assert done.returncode == 3
    assert "plant_name_id" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_names_are_shown_parsed_and_reconciled(tmp_path: Path) -> None:
    """For people in words, for programs a line a name; no name is no error."""
    words = plantid(tmp_path, "show", "Citrus x sinensis (L.) Osbeck")
    lines = plantid(tmp_path, "show", "--json", "Lycopersicon esculentum", "Salix alba × fragilis")

    tomato, formula = (json.loads(line) for line in lines.stdout.splitlines())
    assert words.stdout.startswith("Citrus × aurantium")
    assert "species citrus aurantium" in words.stdout
    assert tomato["reconciled"]["scientific_name"] == "Solanum lycopersicum"
    assert tomato["parsed"]["genus"] == "Lycopersicon"
    assert (formula["parsed"], formula["reconciled"]["how"]) == (None, "unparsed")
    assert lines.returncode == words.returncode == 0
