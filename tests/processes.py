"""What runs on this machine, as far as the tests started it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable


def servers(directory: Path) -> list[int]:
    """Return the server processes that run in the directory."""
    return _running(
        lambda p: "valkey-server" in p.name() and Path(p.cwd()).is_relative_to(directory)
    )


def watchdogs(directory: Path) -> list[int]:
    """Return the watchdog processes of the directory."""
    return _running(
        lambda p: (
            "plantid_core.supervise" in p.cmdline() and str(directory) in " ".join(p.cmdline())
        )
    )


def _running(wanted: Callable[[psutil.Process], bool]) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and wanted(process):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def until(condition: Callable[[], bool], within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def in_child(work: Callable[[], object]) -> str:
    """Return what ``work`` says in a forked child, which has ten seconds."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        try:
            os.write(writing, repr(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as said:  # noqa: PTH123 - a descriptor has no path
        text = said.read().decode()
    os.waitpid(pid, 0)
    return text
