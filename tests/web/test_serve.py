"""``python app.py``, as a process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "app.py"


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    """Where the port is taken, the process ends with a sentence and no traceback."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        environment = {
            **os.environ,
            "PLANTID_DATA_DIR": str(tmp_path),
            "PLANTID_PORT": str(other.getsockname()[1]),
        }
        ended = subprocess.run(
            [sys.executable, SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert ended.returncode == 1
    assert "is taken. Set PLANTID_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr
