"""The sandbox as a process: its address, its port, its end."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import SandboxServer


def command(cache: Path, *arguments: str) -> list[str]:
    start = [sys.executable, "-m", "plantid_core.sandbox", "--cache-dir", str(cache)]
    return [*start, *arguments]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_slow_call_does_not_hold_up_the_end(
    model_cache: Path, tmp_path: Path, end: signal.Signals
) -> None:
    """It prints one line, writes the same to a private file, and ends while a call hangs."""
    faults, ready = tmp_path / "faults.json", tmp_path / "ready.json"
    faults.write_text('[{"service": "plantnet", "latency_ms": {"p50": 60000, "p99": 60000}}]')
    arguments = ["--faults", str(faults), "--ready-file", str(ready)]
    with subprocess.Popen(command(model_cache, *arguments), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = json.loads(line)
        with socket.create_connection(("127.0.0.1", address["port"])) as slow:
            slow.sendall(b"GET /v2/_status HTTP/1.1\r\nHost: sandbox\r\n\r\n")
            stats = {}
            while not stats.get("in_flight", {}).get("plantnet"):
                stats = requests.get(f"{address['url']}/_stats", timeout=5).json()
            process.send_signal(end)
            process.wait(10)

    assert address["plant_id"] == address["plantnet"] == address["url"]
    assert ready.read_bytes().strip() == line.strip()
    assert stat.S_IMODE(ready.stat().st_mode) == 0o600


def test_a_taken_port_is_told(model_cache: Path, sandbox: SandboxServer) -> None:
    """Clients know the port that was asked for: no other one will do."""
    port = sandbox.url.rpartition(":")[2]

    result = subprocess.run(
        command(model_cache, "--port", port),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert result.returncode == 2
    assert f"Port {port} of 127.0.0.1 is taken." in result.stderr
    assert not result.stdout
