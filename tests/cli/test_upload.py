"""``plantid upload``: judge files, and clean one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FIELDS = {
    "file", "verdict", "code", "layer", "message", "limit", "value", "detected", "mime", "width",
    "height", "frames",
}  # fmt: skip


def plantid(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plantid_core.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def leaf(tmp_path: Path, quadrants: Callable[..., bytes]) -> Path:
    path = tmp_path / "leaf.jpg"
    path.write_bytes(quadrants(comment=b"PAYLOAD"))
    return path


def test_check_prints_a_json_line_a_file(tmp_path: Path, leaf: Path) -> None:
    """Each file's line has all fields, in the order of the files; a refusal makes the exit 3."""
    fake = tmp_path / "fake.jpg"
    fake.write_bytes(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")

    done = plantid("upload", "check", "--json", leaf, fake, tmp_path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 3
    assert all(set(line) == FIELDS for line in lines)
    assert [(line["verdict"], line["code"]) for line in lines] == [
        ("accept", None),
        ("reject", "type"),
        ("reject", "not_a_file"),
    ]
    assert (lines[0]["mime"], lines[0]["width"], lines[0]["height"]) == ("image/jpeg", 320, 240)
    assert "PDF" in lines[1]["detected"]


def test_check_of_good_files_ends_with_0(leaf: Path) -> None:
    """Accepted files are listed in words."""
    done = plantid("upload", "check", leaf)

    assert done.returncode == 0
    assert done.stdout.startswith("accepted")


def test_check_of_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """A name that is not there is no verdict."""
    done = plantid("upload", "check", tmp_path / "nope.jpg")

    assert (done.returncode, done.stdout) == (2, "")
    assert "no such file" in done.stderr


def test_clean_writes_a_plain_jpeg(tmp_path: Path, leaf: Path) -> None:
    """The copy is a picture and nothing else."""
    out = tmp_path / "clean.jpg"

    done = plantid("upload", "clean", leaf, "-o", out)

    assert done.returncode == 0
    assert "comment" in done.stdout
    assert b"PAYLOAD" not in out.read_bytes()
    with Image.open(out) as image:
        assert image.size == (320, 240)


def test_clean_keeps_the_full_size_on_request(tmp_path: Path, leaf: Path) -> None:
    """--full hands on every pixel."""
    with Image.open(io.BytesIO(leaf.read_bytes())) as image:
        image.resize((2000, 1500)).save(leaf)

    plantid("upload", "clean", "--full", leaf, "-o", tmp_path / "clean.jpg")

    with Image.open(tmp_path / "clean.jpg") as image:
        assert image.size == (2000, 1500)


def test_clean_never_replaces_the_original(leaf: Path) -> None:
    """The original is not overwritten."""
    before = leaf.read_bytes()

    done = plantid("upload", "clean", leaf, "-o", leaf)

    assert done.returncode == 2
    assert leaf.read_bytes() == before


def test_clean_leaves_nothing_of_a_refused_file(tmp_path: Path) -> None:
    """A refused file has no copy."""
    fake = tmp_path / "fake.jpg"
    fake.write_bytes(b"no photo")

    done = plantid("upload", "clean", fake, "-o", tmp_path / "out.jpg")

    assert done.returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == ["fake.jpg"]


@pytest.mark.parametrize("trouble", ["size=16k", "ro"])
def test_full_or_read_only_disk_leaves_nothing_half_written(
    tmp_path: Path, flower: bytes, trouble: str
) -> None:
    """A disk that takes no more, or nothing, is told in one line, and the folder stays as it was."""
    (tmp_path / "flower.jpg").write_bytes(flower)
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o {trouble} none {disk} || exit 77;"
        f" {sys.executable} -m plantid_core.cli upload clean {tmp_path}/flower.jpg -o {disk}/out.jpg;"
        f" echo $?; ls -A {disk}"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("needs the right to mount in a private namespace")

    assert done.stdout == "2\n"
    assert "could not be written" in done.stderr
    assert "Traceback" not in done.stderr
