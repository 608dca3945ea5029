"""The types of the stable face, as a user's own checker sees them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FACE = Path(__file__).parent / "face"
ROOT = Path(__file__).parents[2]
_ERROR = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$", re.MULTILINE)


@pytest.fixture(scope="module")
def errors() -> dict[str, set[tuple[int, str]]]:
    """Have mypy look at the files of the folder, once; a cold cache takes it a minute."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(FACE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found: dict[str, set[tuple[int, str]]] = {}
    for match in _ERROR.finditer(done.stdout):
        place = (int(match["line"]), match["code"])
        found.setdefault(Path(match["file"]).name, set()).add(place)
    assert found, done.stdout
    return found


@pytest.mark.timeout(300)
def test_what_may_be_relied_on_holds(errors: dict[str, set[tuple[int, str]]]) -> None:
    """Every ``assert_type`` is right."""
    assert errors.get("right.py", set()) == set()


@pytest.mark.timeout(300)
def test_what_is_wrong_is_refused(errors: dict[str, set[tuple[int, str]]]) -> None:
    """Where a line says so, and nowhere else."""
    lines = (FACE / "wrong.py").read_text(encoding="utf-8").splitlines()
    expected = {
        (number, line.rpartition("# E: ")[2])
        for number, line in enumerate(lines, 1)
        if "  # E: " in line
    }

    assert expected
    assert errors["wrong.py"] == expected


def test_a_users_checker_is_told_that_there_are_types() -> None:
    """The marker of PEP 561 lies in the package, and so in the wheel."""
    import plantid_core

    assert (Path(plantid_core.__file__).parent / "py.typed").is_file()
