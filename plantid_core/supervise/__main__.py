"""The watchdog process: ``python -m plantid_core.supervise DIRECTORY COMMAND…``.

Single-threaded, and light: it imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

from plantid_core.supervise import rendezvous

if TYPE_CHECKING:
    import socket

_FIRST_USER_S = 10.0
_TICK_S = 0.1
_TERMINATE_S = 3.0
_LONGEST_BACKOFF_S = 1.0
_PR_SET_PDEATHSIG = 1


class Watchdog:
    """Keeps one server running as long as anyone is connected."""

    def __init__(self, directory: Path, command: list[str]) -> None:
        self._directory = directory
        self._command = command
        self._listener = rendezvous.listen(directory)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._users: set[socket.socket] = set()
        self._server: subprocess.Popen[bytes] | None = None
        self._backoff_s = 0.0
        self._start_at = 0.0
        self._deadline = time.monotonic() + _FIRST_USER_S

    def run(self) -> None:
        """Serve until the last user is gone, then end the server and return."""
        try:
            while not (self._unused() and self._may_end()):
                self._keep_server()
                for key, _ in self._selector.select(_TICK_S):
                    self._event(cast("socket.socket", key.fileobj))
        finally:
            self._end_server()

    def _unused(self) -> bool:
        return not self._users and time.monotonic() >= self._deadline

    def _event(self, ready: socket.socket) -> None:
        if ready is self._listener:
            with suppress(BlockingIOError):
                user, _ = ready.accept()
                self._users.add(user)
                self._selector.register(user, selectors.EVENT_READ)
                self._deadline = 0.0
            return
        with suppress(OSError):
            if ready.recv(64):
                return
        self._selector.unregister(ready)
        self._users.discard(ready)
        ready.close()

    def _may_end(self) -> bool:
        """Stop listening, unless someone is attaching at this very moment."""
        lock = rendezvous.open_lock(self._directory)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        # From here on nobody can attach: the lock is kept until this process ends.
        if self._selector.select(0):
            os.close(lock)
            return False
        with suppress(FileNotFoundError):
            (self._directory / rendezvous.SOCKET).unlink()
        return True

    def _keep_server(self) -> None:
        now = time.monotonic()
        if self._server is not None:
            if self._server.poll() is None:
                return
            self._server = None
            self._backoff_s = min(_LONGEST_BACKOFF_S, max(0.05, self._backoff_s * 2))
            self._start_at = now + self._backoff_s
        if now >= self._start_at:
            self._start_server()

    def _start_server(self) -> None:
        watchdog = os.getpid()
        try:
            self._server = subprocess.Popen(  # noqa: S603 - the command is its starter's own
                self._command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                preexec_fn=lambda: _die_with(watchdog),  # noqa: PLW1509 - no threads here
            )
        except OSError as error:
            sys.stderr.write(f"cannot start {self._command[0]}: {error}\n")
            sys.stderr.flush()
            self._start_at = time.monotonic() + _LONGEST_BACKOFF_S

    def _end_server(self) -> None:
        if self._server is None:
            return
        self._server.terminate()
        try:
            self._server.wait(_TERMINATE_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()


def _die_with(watchdog: int) -> None:
    """Ask the kernel to end this child with its parent, also by SIGKILL (Linux, prctl(2))."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != watchdog:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the watchdog for the directory and command given as arguments."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Watchdog(Path(sys.argv[1]), sys.argv[2:]).run()


if __name__ == "__main__":
    main()
