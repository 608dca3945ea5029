"""One worker process, as the server sees it."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from plantid_core.supervise.python import module_command, python_path
from plantid_core.upload.isolation import wire

if TYPE_CHECKING:
    from plantid_core.upload.isolation.wire import Head

_START_S = 15.0
_END_S = 5.0
_PATIENCE = 6
_MOST_REPLY_BYTES = 256 * 1024 * 1024
# No setting reaches a worker: keys are settings.
_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "TMPDIR")

# Memory of ordinary photos is kept for the next one: to be given it anew costs 10 ms a photo.
# What a very large one took, the worker gives back itself.
_ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024 * 1024),
    "MALLOC_TRIM_THRESHOLD_": str(128 * 1024 * 1024),
    "MALLOC_ARENA_MAX": "1",
}


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **_ALLOCATOR, "PYTHONPATH": python_path(), "PYTHONDONTWRITEBYTECODE": "1"}


class WorkerProcess:
    """Used by one thread at a time. Raises OSError or `wire.BrokenLink` where it does not start."""

    def __init__(self, address_space: int, lane: str) -> None:
        self.lane = lane
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 - our own module
                module_command("plantid_core.upload.isolation.worker", str(address_space), lane),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # no Ctrl-C of the terminal: the server ends its workers
            )
        self._link = ours
        self._told = psutil.Process(self.process.pid)
        try:
            wire.receive(ours, 0, until=time.monotonic() + _START_S)
        except BaseException:
            self.end()
            raise

    @property
    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self.process.poll() is None

    def ask(self, head: Head, data: bytes, seconds: float) -> tuple[Head, list[bytes]]:
        """Return the answer; raises TimeoutError, `wire.BrokenLink` or OSError, after which: `end`.

        It may take ``seconds``; where other programs keep the processor from it, six times that.
        """
        begin = time.monotonic()
        used = self._processor_seconds()
        until, last = begin + seconds, begin + seconds * _PATIENCE
        wire.send(self._link, head, data, until=until)
        while not self._answers_by(until):
            now = time.monotonic()
            if now >= last or not self._is_starved(now - begin, used):
                raise TimeoutError
            until = min(now + seconds / 4, last)
        until = max(until, time.monotonic() + seconds / 4)
        return wire.receive(self._link, _MOST_REPLY_BYTES, until=until)

    def _answers_by(self, until: float) -> bool:
        waiting = select.poll()
        waiting.register(self._link, select.POLLIN)
        return bool(waiting.poll(max(0.0, until - time.monotonic()) * 1e3))

    def _processor_seconds(self) -> float:
        with suppress(psutil.Error):
            times = self._told.cpu_times()
            return times.user + times.system
        return 0.0

    def _is_starved(self, elapsed: float, used: float) -> bool:
        """Tell whether it could run, yet has had less than half of a processor since it was asked."""
        with suppress(psutil.Error):
            runnable = self._told.status() == psutil.STATUS_RUNNING
            return runnable and self._processor_seconds() - used < elapsed / 2
        return False

    def end(self) -> int:
        """Kill the process, whatever it is doing; return its exit status, a signal's below 0."""
        self.forget()
        try:
            # One that broke down is about to end by itself, with a status that tells why.
            return self.process.wait(0.05)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGKILL)
            return self.process.wait(_END_S)

    def forget(self) -> None:
        """Close this side of the link, on which an idle worker ends; all a forked copy may do."""
        self._link.close()
