"""Many people send one photo at once, to two processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from plantid_core.store.embedded import open_embedded

if TYPE_CHECKING:
    from tests.conftest import SandboxServer

CALLERS = 100
PLANT_ID, PLANTNET = "POST /api/v3/identification", "POST /v2/identify/all"


@pytest.fixture
def data_dir(tmp_path: Path, model_cache: Path) -> Path:
    """Return a data directory with the models built."""
    (tmp_path / "models").symlink_to(model_cache / "models")
    return tmp_path


def stampede(data_dir: Path, sandbox: SandboxServer, *options: str) -> list[object]:
    """Send off the callers of two processes; return every answer given."""
    script = Path(__file__).with_name("identify_callers.py")
    command = [sys.executable, script, data_dir, sandbox.url, str(CALLERS), *options]
    with open_embedded(data_dir):
        processes = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
        return [
            answers for process in processes for answers in json.loads(process.communicate()[0])
        ]


def test_one_call_a_service_and_one_answer_for_all(data_dir: Path, sandbox: SandboxServer) -> None:
    """Two hundred callers cost one call a service, and all are answered alike."""
    for service in ("plant_id", "plantnet"):
        sandbox.faults(service=service, latency_ms={"p50": 300, "p99": 300})

    outcomes = stampede(data_dir, sandbox)

    assert len(outcomes) == 2 * CALLERS
    assert len({json.dumps(outcome) for outcome in outcomes}) == 1
    assert [answer[1] for answer in outcomes[0]] == ["ok", "ok", "ok"]  # type: ignore[index]
    assert sandbox.calls("plant_id", PLANT_ID) == {"201": 1}
    assert sandbox.calls("plantnet", PLANTNET) == {"200": 1}


def test_an_open_breaker_is_not_called(data_dir: Path, sandbox: SandboxServer) -> None:
    """The service left alone sees nothing, and the other one answers everybody."""
    outcomes = stampede(data_dir, sandbox, "plant_id")

    assert len({json.dumps(outcome) for outcome in outcomes}) == 1
    assert [answer[1] for answer in outcomes[0]] == ["unavailable", "ok", "ok"]  # type: ignore[index]
    assert outcomes[0][0][3] == "breaker_open"  # type: ignore[index]
    assert sandbox.calls("plant_id", PLANT_ID) == {}
    assert sandbox.calls("plantnet", PLANTNET) == {"200": 1}


def test_a_failure_is_shared_and_makes_no_convoy(data_dir: Path, sandbox: SandboxServer) -> None:
    """When both services fail, one call each has told everybody so."""
    for service in ("plant_id", "plantnet"):
        sandbox.faults(
            service=service,
            latency_ms={"p50": 300, "p99": 300},
            errors=[{"status": 500, "rate": 1}],
        )

    outcomes = stampede(data_dir, sandbox)

    assert len({json.dumps(outcome) for outcome in outcomes}) == 1
    assert [answer[1] for answer in outcomes[0]] == ["unavailable", "unavailable", "ok"]  # type: ignore[index]
    assert sandbox.calls("plant_id", PLANT_ID) == {"500": 1}
    assert sandbox.calls("plantnet", PLANTNET) == {"500": 1}
