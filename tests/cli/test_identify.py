"""``plantid identify``, as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLANTID = Path(sys.executable).parent / "plantid"


@pytest.fixture
def data_dir(tmp_path: Path, model_cache: Path) -> Path:
    """Return a data directory that knows the built models."""
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "models").symlink_to(model_cache / "models")
    return directory


def plantid(data_dir: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PLANTID, *map(str, arguments)],
        env={**os.environ, "PLANTID_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_two_processes_share_the_answers(data_dir: Path, tmp_path: Path, flower: bytes) -> None:
    """The second process answers both services from Redis."""
    (tmp_path / "flower.jpg").write_bytes(flower)
    first = plantid(data_dir, "identify", tmp_path / "flower.jpg", "--json")

    second = plantid(data_dir, "identify", tmp_path / "flower.jpg", "--json")

    assert (first.returncode, second.returncode) == (0, 0)
    sources = {a["provider"]: a["source"] for a in json.loads(second.stdout)["answers"]}
    assert sources == {"plant_id": "redis", "plantnet": "redis", "offline": "local"}


def test_people_get_tables(data_dir: Path, tmp_path: Path, flower: bytes) -> None:
    """Without --json there are tables, and the sandbox is marked."""
    (tmp_path / "flower.jpg").write_bytes(flower)

    result = plantid(data_dir, "identify", tmp_path / "flower.jpg", "--provider", "plantnet")

    assert result.returncode == 0
    assert "SANDBOX" in result.stdout
    assert "Leucanthemum" in result.stdout


def test_refused_files_stop_with_one_line(data_dir: Path, tmp_path: Path, flower: bytes) -> None:
    """Text, nothing, too much, half a photo, a folder: exit 3, one line, nothing stored."""
    (tmp_path / "notes.txt").write_text("some notes")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "large.jpg").write_bytes(flower + bytes(20_000_000))
    (tmp_path / "half.jpg").write_bytes(flower[: len(flower) // 2])
    (tmp_path / "folder.jpg").mkdir()

    for name in ("notes.txt", "empty.jpg", "large.jpg", "half.jpg", "folder.jpg"):
        result = plantid(data_dir, "identify", tmp_path / name)

        assert result.returncode == 3, (name, result.stderr)
        assert result.stderr.startswith("plantid: ")
        assert result.stderr.count("\n") == 1
        assert name in result.stderr
        assert result.stdout == ""
    assert [path.name for path in data_dir.iterdir()] == ["models"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["identify", "/nonexistent/leaf.jpg"],
        ["identify"],
        ["nonsense"],
        ["identify", "x.jpg", "--lat", "95"],
    ],
)
def test_wrong_usage_exits_with_two(data_dir: Path, arguments: list[str]) -> None:
    """A missing path or flag is the caller's mistake, and says so."""
    result = plantid(data_dir, *arguments)

    assert result.returncode == 2
    assert result.stderr
    assert "Traceback" not in result.stderr


def test_bad_settings_are_all_named(data_dir: Path, tmp_path: Path, flower: bytes) -> None:
    """Settings that cannot be used stop the command before it starts anything."""
    (tmp_path / "flower.jpg").write_bytes(flower)

    result = subprocess.run(
        [PLANTID, "identify", tmp_path / "flower.jpg"],
        env={
            **os.environ,
            "PLANTID_DATA_DIR": str(data_dir),
            "PLANTID_PORT": "0",
            "PLANTID_LOG_FORMAT": "x",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 2
    assert "PLANTID_PORT" in result.stderr
    assert "PLANTID_LOG_FORMAT" in result.stderr
