"""``plantid batch``, as a process: killed, interrupted, asked only for an estimate."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from folders import crops
from processes import until

from plantid_core.batch.order import Estimate, Progress
from plantid_core.cli.batch import log_lines

if TYPE_CHECKING:
    from tests.conftest import SandboxServer

PLANTID = Path(sys.executable).parent / "plantid"
ROUTES = {"plant_id": "POST /api/v3/identification", "plantnet": "POST /v2/identify/all"}
PHOTOS, AT_ONCE = 30, 3


class Command:
    """``plantid batch photos -o out.csv`` in a folder, with the session's sandbox."""

    def __init__(self, folder: Path, sandbox: SandboxServer) -> None:
        self.folder, self.sandbox = folder, sandbox

    def start(self, *more: str, out: str = "out.csv") -> subprocess.Popen[str]:
        settings = {
            "PLANTID_DATA_DIR": str(self.folder / "data"),
            "PLANTID_SANDBOX_URL": self.sandbox.url,
        }
        providers = ("--provider", "plant_id", "--provider", "plantnet")
        return subprocess.Popen(
            [
                PLANTID,
                "batch",
                "photos",
                "-o",
                out,
                "--concurrency",
                str(AT_ONCE),
                *providers,
                *more,
            ],
            cwd=self.folder,
            env={**os.environ, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *more: str, out: str = "out.csv") -> tuple[int, str, str]:
        with self.start(*more, out=out) as process:
            said, told = process.communicate(timeout=50)
        return process.returncode, said, told

    def slow_down(self, ms: float) -> None:
        for service in ROUTES:
            self.sandbox.faults(service=service, latency_ms={"p50": ms, "p99": ms})

    def calls(self, service: str) -> int:
        return sum(self.sandbox.calls(service, ROUTES[service]).values())

    def answered(self) -> list[str]:
        """Return the files, each once for every row of a first name, or of none."""
        with (self.folder / "out.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {row["observation"] for row in rows} == {"answered"}
        return [
            row["file"]
            for row in rows
            if row["provider"] == "plantnet" and row["rank"] in {"", "1"}
        ]


@pytest.fixture
def command(tmp_path: Path, sandbox: SandboxServer, flower: bytes) -> Command:
    """Return the command in a folder with photos."""
    crops(flower, tmp_path / "photos", PHOTOS)
    return Command(tmp_path, sandbox)


def test_a_batch_killed_and_interrupted_answers_every_photo_once(command: Command) -> None:
    """What kill -9 breaks off is asked again, what Ctrl-C or a hang-up finds under way is finished."""
    command.slow_down(120)
    with command.start() as process:
        assert until(lambda: command.calls("plantnet") >= 4, 20)
        process.kill()
    for number in (signal.SIGINT, signal.SIGHUP):
        before = command.calls("plantnet")
        with command.start() as process:
            assert process.stderr is not None
            assert process.stderr.readline().startswith(f"{PHOTOS} photos")
            assert until(lambda before=before: command.calls("plantnet") > before, 20)
            process.send_signal(number)
            _, told = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "The same command continues." in told
        assert "Traceback" not in told
        assert not (command.folder / "out.csv").exists()

    code, said, _ = command.finish("--json")

    assert code == 0, said
    assert command.answered() == [f"{number:03}.jpg" for number in range(PHOTOS)]
    for service in ROUTES:
        assert command.calls(service) <= PHOTOS + AT_ONCE
    # Those under way at a kill count as paid: they may have been.
    found = json.loads(said)
    assert found["credits"] >= sum(map(command.calls, ROUTES))
    assert found["sandbox_rows"] > 0


def test_a_log_gets_a_line_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no bar can be drawn, a long run still says how far it is, and no more often."""
    seconds = [0.0]
    estimate = Estimate(100, 100, 10, 0, 0, {"plantnet": 90}, 0, 90.0)
    tell = log_lines(estimate, lambda: seconds[0])

    for at in (5.0, 9.9, 10.0, 15.0, 20.0):
        seconds[0] = at
        tell(Progress(10 + int(at), 100, at, 90.0 - at, int(at), 3, ()))

    told = capsys.readouterr().err.splitlines()
    assert [line.split(" · ")[:2] for line in told] == [
        ["20 of 100 photos", "1.0 photos/s"],
        ["30 of 100 photos", "1.0 photos/s"],
    ]


def test_a_dry_run_asks_nobody_and_leaves_nothing(command: Command) -> None:
    """What would be done, as JSON."""
    code, said, _ = command.finish("--dry-run", "--json")

    found = json.loads(said)
    assert (code, found["photos"], found["credits"]) == (0, PHOTOS, 2 * PHOTOS)
    assert found["calls"] == {"plant_id": PHOTOS, "plantnet": PHOTOS}
    assert [command.calls(service) for service in ROUTES] == [0, 0]
    assert {path.name for path in command.folder.iterdir()} == {"photos", "data"}


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("nowhere", "-o", "out.csv"), 3, "there is no such folder"),
        (("photos", "-o", "out.txt"), 2, ".csv or .parquet"),
        (("photos", "-o", "no/where/out.csv"), 2, "is no folder"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(
    tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    """One line, the exit code of its kind, nothing begun."""
    (tmp_path / "photos").mkdir()

    done = subprocess.run(
        [PLANTID, "batch", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PLANTID_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == code
    assert told in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "data").exists()
