"""``plantid evaluate``."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from processes import until

from plantid_core import cli

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import SandboxServer

    Evaluate = Callable[..., "Done"]


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def evaluate(
    tmp_path: Path,
    model_cache: Path,
    sandbox: SandboxServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Evaluate:
    """Return the command, in this process: to start another takes seconds."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "models").symlink_to(model_cache / "models")
    monkeypatch.setenv("PLANTID_DATA_DIR", str(data_dir))
    monkeypatch.setenv("PLANTID_SANDBOX_URL", sandbox.url)

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["plantid", "evaluate", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def table(tmp_path: Path, flower: bytes) -> Path:
    """Return a table of one labelled flower."""
    (tmp_path / "flower.jpg").write_bytes(flower)
    path = tmp_path / "labels.csv"
    path.write_text("file,scientific_name\nflower.jpg,Leucanthemum vulgare\n")
    return path


def test_json_holds_every_provider_s_figures(evaluate: Evaluate, table: Path) -> None:
    """The sandbox's are marked, and the files that were asked for are written."""
    written = [table.with_name(name) for name in ("report.html", "figures.csv", "answers.csv")]
    report, figures, answers = written

    done = evaluate(
        table, "--include-sandbox", "--json",
        "--report", report, "--csv", figures, "--answers", answers,
    )  # fmt: skip

    assert done.code == 0, done.stderr
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


def test_people_get_the_finding_first(evaluate: Evaluate, table: Path) -> None:
    """Then a table; whom the sandbox would have answered for is said."""
    done = evaluate(table)

    assert done.code == 0, done.stderr
    assert done.stdout.startswith("Offline model was right first time on")
    assert "Non-plants" in done.stdout
    assert "not asked" in done.stdout


def test_exit_codes_tell_why_there_is_no_evaluation(
    evaluate: Evaluate, table: Path, tmp_path: Path
) -> None:
    """A bad table is refused input, a missing one wrong usage, only the sandbox nobody to ask."""
    (tmp_path / "bad.csv").write_text("file,scientific_name\nnowhere.jpg,Zea mays\n")

    found = [
        evaluate(tmp_path / "bad.csv"),
        evaluate(tmp_path / "nothing.csv"),
        evaluate(table, "--provider", "plantnet"),
    ]

    assert [one.code for one in found] == [3, 2, 4]
    for one in found:
        assert one.stdout == ""
        assert one.stderr.startswith("plantid: ")
        assert one.stderr.count("\n") == 1
    assert "Row 2: there is no file 'nowhere.jpg'" in found[0].stderr
    assert "--include-sandbox" in found[2].stderr


def test_what_cannot_be_written_is_refused_before_anybody_is_asked(
    evaluate: Evaluate, table: Path, tmp_path: Path, sandbox: SandboxServer
) -> None:
    """A folder, a place in no folder, one file for two things, and the table of labels itself."""
    twice = tmp_path / "all.csv"

    found = [
        evaluate(table, "--include-sandbox", "--report", tmp_path),
        evaluate(table, "--include-sandbox", "--report", tmp_path / "nowhere" / "report.html"),
        evaluate(table, "--include-sandbox", "--csv", twice, "--answers", twice),
        evaluate(table, "--include-sandbox", "--csv", table),
    ]

    assert [one.code for one in found] == [2, 2, 2, 2]
    assert sandbox.calls("plantnet", "identify") == {}
    assert table.read_text().startswith("file,scientific_name")


def test_figures_are_told_though_they_cannot_be_written(evaluate: Evaluate, table: Path) -> None:
    """What was asked has cost credits: nothing of it is lost with a full disk."""
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a folder in which no file can be made")

    done = evaluate(table, "--provider", "offline", "--json", "--csv", "/proc/figures.csv")

    assert done.code == 2
    assert json.loads(done.stdout)["n"] == 1
    assert "/proc/figures.csv could not be written" in done.stderr


def test_an_interrupted_evaluation_says_so(
    evaluate: Evaluate, tmp_path: Path, flower: bytes
) -> None:
    """Ctrl-C ends it after the photos under way, with figures of these and a code of its own."""
    folder = tmp_path / "Leucanthemum vulgare"
    folder.mkdir()
    for number in range(150):
        (folder / f"{number}.jpg").write_bytes(flower + bytes(number))
    (tmp_path / "all").mkdir()
    folder.rename(tmp_path / "all" / folder.name)
    waiting = signal.getsignal(signal.SIGINT)

    def interrupt() -> None:
        until(lambda: signal.getsignal(signal.SIGINT) is not waiting)
        os.kill(os.getpid(), signal.SIGINT)

    person = threading.Thread(target=interrupt)
    person.start()
    done = evaluate(tmp_path / "all", "--provider", "offline", "--concurrency", "1", "--json")
    person.join()

    found = json.loads(done.stdout)
    assert done.code == 130
    assert found["stopped"]
    assert found["n"] < 150
    assert signal.getsignal(signal.SIGINT) is waiting
