"""``plantid history``, ``plantid backup`` and ``plantid restore``."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dwca.read import DwCAReader
from kept import CHERRY, DAISY, answer, determined, observed
from typer.testing import CliRunner

from plantid_core.cli import backup, history
from plantid_core.store.history.history import History
from plantid_core.store.history.values import KeptPhoto
from plantid_core.store.photos import PhotoStore

if TYPE_CHECKING:
    from click.testing import Result

    from plantid_core.store.history.values import Observed

PLANTID = Path(sys.executable).parent / "plantid"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Observed]:
    """Keep two observations for the local person: one of botany, one of the sandbox alone."""
    folder = tmp_path / "data"
    monkeypatch.setenv("PLANTID_DATA_DIR", str(folder))
    photo_id = PhotoStore(folder / "photos").put("local", b"\xff\xd8\xffleaf")
    shown = (KeptPhoto(photo_id, "leaf", 32, 24, "PNG"),)
    made = [
        observed(answer("offline", DAISY), photos=shown, determinations=(determined(CHERRY),)),
        observed(answer("plantnet", DAISY, sandbox=True), photos=()),
    ]
    with History(folder / "history.sqlite") as database:
        for one in made:
            database.add(one)
    return made


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(history.app, [str(word) for word in words])


def test_what_is_kept_is_listed(kept: list[Observed]) -> None:
    """For programs with all of it; the sandbox is marked for people."""
    told = json.loads(run("list", "--json").stdout)
    verified = json.loads(run("list", "--json", "--verified").stdout)

    assert {one["id"] for one in told["observations"]} == {one.id for one in kept}
    assert [one["determination"]["taxon"]["scientific_name"] for one in verified["observations"]]
    assert verified["total"] == 1
    shown = run("list").stdout
    assert "SANDBOX" in shown
    assert all(one.id in shown for one in kept)


@pytest.mark.usefixtures("kept")
def test_exports_leave_the_sandbox_at_home(tmp_path: Path) -> None:
    """The archive has its photo; what was left out is told, and why."""
    archive = run("export", "--format", "dwca", "--photos", "-o", tmp_path / "a.zip")
    marked = run("export", "--format", "csv", "--include-sandbox", "-o", tmp_path / "t.csv")

    assert archive.exit_code == marked.exit_code == 0
    assert "1 observation, 4 rows" in archive.stdout
    assert "left out: 1, since only the sandbox answered" in archive.stdout
    with DwCAReader(str(tmp_path / "a.zip")) as read:
        assert len(read.rows) == 1
    with (tmp_path / "t-sandbox.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {line["sandbox"] for line in csv.DictReader(file)} == {"True", "False"}


@pytest.mark.usefixtures("kept")
def test_nothing_to_export_is_refused(tmp_path: Path) -> None:
    """Exit 3 and one sentence, no file, and only JSON would be on stdout."""
    result = run("export", "--format", "csv", "--text", "no such plant", "-o", tmp_path / "t.csv")

    assert (result.exit_code, result.stdout) == (3, "")
    assert "nothing to export" in result.stderr
    assert not (tmp_path / "t.csv").exists()


def test_deleting_needs_a_word(kept: list[Observed], tmp_path: Path) -> None:
    """Nothing goes unasked, nor where one of the names is wrong; then rows and photos go."""
    unasked = run("delete", kept[0].id)
    unknown = run("delete", kept[0].id, "unknown", "--yes")
    both = run("delete", kept[0].id, "--all", "--yes")
    left = json.loads(run("list", "--json").stdout)["total"]
    gone = run("delete", kept[0].id, "--yes", "--json")

    assert (unasked.exit_code, unknown.exit_code, both.exit_code, left) == (2, 3, 2, 2)
    assert json.loads(gone.stdout) == {"observations": 1, "photos": 1, "still_cached": 0}
    assert PhotoStore(tmp_path / "data" / "photos").owned("local") == ()
    assert json.loads(run("list", "--json").stdout)["total"] == 1


def test_a_backup_goes_into_a_new_directory(kept: list[Observed], tmp_path: Path) -> None:
    """As processes: saved here, refused where something lies, brought back elsewhere."""
    here, there = dict(os.environ), {**os.environ, "PLANTID_DATA_DIR": str(tmp_path / "new")}

    def plantid(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PLANTID, *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    saved = plantid(here, "backup", "b.tar.gz", "--json")
    refused = plantid(here, "restore", "b.tar.gz")
    restored = plantid(there, "restore", "b.tar.gz", "--json")

    assert json.loads(saved.stdout)["observations"] == 2
    assert refused.returncode == 3
    assert refused.stderr.startswith("plantid: nothing was restored. ")
    assert refused.stdout == ""
    assert json.loads(restored.stdout)["photos"] == 1
    with History(tmp_path / "new" / "history.sqlite") as database:
        assert {one.id for one in database.all("local")} == {one.id for one in kept}


def test_there_is_nothing_to_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that is not there is told, and not made."""
    import typer

    monkeypatch.setenv("PLANTID_DATA_DIR", str(tmp_path / "none"))
    app = typer.Typer()
    app.command()(backup.backup)

    result = CliRunner().invoke(app, [str(tmp_path / "b.tar.gz")])

    assert result.exit_code == 3
    assert not (tmp_path / "none").exists()
    assert not (tmp_path / "b.tar.gz").exists()


def test_identify_keeps_what_it_is_asked_to(
    tmp_path: Path, model_cache: Path, flower: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photo, place and date are in the history afterwards."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "models").symlink_to(model_cache / "models")
    (tmp_path / "flower.jpg").write_bytes(flower)
    monkeypatch.setenv("PLANTID_DATA_DIR", str(folder))
    where = ["--lat", "50.1", "--lon", "14.4", "--date", "2026-05-01"]

    told = subprocess.run(
        [PLANTID, "identify", "flower.jpg", "--provider", "offline", "--keep", "--json", *where],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=True,
    )

    (kept,) = json.loads(run("list", "--json").stdout)["observations"]
    assert kept["id"] == json.loads(told.stdout)["id"]
    assert (kept["place"]["latitude"], kept["observed_on"]) == (50.1, "2026-05-01")
    assert PhotoStore(folder / "photos").owned("local")[0].photo_id == kept["photos"][0]["photo_id"]
