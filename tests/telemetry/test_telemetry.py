"""Counting and telling."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import structlog

from plantid_core import telemetry

if TYPE_CHECKING:
    import pytest

_AT_ONCE = """
import threading
from prometheus_client import REGISTRY
from plantid_core.telemetry import count_verdict
together = threading.Barrier(16)
def count():
    together.wait()
    count_verdict("accepted", "")
threads = [threading.Thread(target=count) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(REGISTRY.get_sample_value("plantid_upload_verdicts_total", {"code": "accepted", "gate": ""}))
"""


def test_first_verdicts_of_many_threads_share_one_counter() -> None:
    """However many threads count for the first time at once, there is one counter."""
    command = [sys.executable, "-c", _AT_ONCE]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.split() == ["16.0"]
    assert not done.stderr


def test_a_simulation_is_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is logged meanwhile, and afterwards again."""
    structlog.reset_defaults()
    structlog.configure(processors=[structlog.processors.JSONRenderer()])

    with telemetry.quiet():
        telemetry.shout("breaker_open")
    telemetry.tell("breaker_closed")

    told = capsys.readouterr().out
    structlog.reset_defaults()
    assert "breaker_open" not in told
    assert "breaker_closed" in told
