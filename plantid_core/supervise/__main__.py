"""The watchdog process: ``python -m plantid_core.supervise DIRECTORY COMMAND…``.

Single-threaded, and light: it imports nothing but the standard library.
"""

from __future__ import annotations

import ctypes
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

# A first user that dies while it starts us, and a server that is slow to end: 5 s in all.
_FIRST_USER_S = 2.0
_TERMINATE_S = 2.5
_TICK_S = 0.1
_SHORTEST_BACKOFF_S = 0.05
_LONGEST_BACKOFF_S = 1.0
_HEALTHY_S = 10.0
_KEEP_ADDRESS_S = 60.0
_PR_SET_PDEATHSIG = 1


class Watchdog:
    """Keeps one server running as long as anyone is connected."""

    def __init__(self, directory: Path, command: list[str]) -> None:
        self._directory = directory
        self._server = Server(directory, command)
        self._listener = rendezvous.listen(directory)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._users: set[socket.socket] = set()
        self._deadline = time.monotonic() + _FIRST_USER_S
        self._address_at = time.monotonic() + _KEEP_ADDRESS_S

    def run(self) -> None:
        """Serve until the last user is gone, then end the server and return."""
        try:
            while not (self._unused() and self._may_end()):
                self._server.keep()
                self._keep_address()
                for key, _ in self._selector.select(_TICK_S):
                    self._event(cast("socket.socket", key.fileobj))
        finally:
            self._server.end()

    def _unused(self) -> bool:
        return not self._users and time.monotonic() >= self._deadline

    def _event(self, ready: socket.socket) -> None:
        if ready is self._listener:
            with suppress(BlockingIOError, ConnectionError):
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
        lock = rendezvous.take(self._directory / rendezvous.LOCK)
        if lock is None:
            return False
        # From here on nobody can attach: the lock is kept until this process ends.
        if self._selector.select(0):
            os.close(lock)
            return False
        with suppress(FileNotFoundError):
            (self._directory / rendezvous.SOCKET).unlink()
        rendezvous.drop_short(self._directory)
        return True

    def _keep_address(self) -> None:
        # Whoever tidies the temporary directory may take an old link away.
        if time.monotonic() >= self._address_at:
            self._address_at = time.monotonic() + _KEEP_ADDRESS_S
            with suppress(OSError):
                rendezvous.make_short(self._directory)


class Server:
    """The child process, started anew when it dies."""

    def __init__(self, directory: Path, command: list[str]) -> None:
        self._directory = directory
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None
        self._backoff_s = 0.0
        self._start_at = 0.0

    def keep(self) -> None:
        """Start the server if it does not run and its pause after a death is over."""
        now = time.monotonic()
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._process = None
            doubled = self._backoff_s * 2 if now < self._start_at + _HEALTHY_S else 0.0
            self._backoff_s = min(_LONGEST_BACKOFF_S, max(_SHORTEST_BACKOFF_S, doubled))
            self._start_at = now + self._backoff_s
        if now >= self._start_at and self._alone():
            self._start()

    def _alone(self) -> bool:
        # The server inherits this lock: a predecessor that outlives its watchdog still holds it,
        # and two servers must never write the same files.
        if self._lock is None:
            self._lock = rendezvous.take(self._directory / rendezvous.SERVER_LOCK)
        return self._lock is not None

    def _start(self) -> None:
        watchdog = os.getpid()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the command is its starter's own
                self._command,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                pass_fds=(cast("int", self._lock),),
                preexec_fn=lambda: _die_with(watchdog),  # noqa: PLW1509 - no threads here
            )
        except OSError as error:
            sys.stderr.write(f"cannot start {self._command[0]}: {error}\n")
            sys.stderr.flush()
            self._start_at = time.monotonic() + _LONGEST_BACKOFF_S

    def end(self) -> None:
        """End the server: SIGTERM, and SIGKILL where that is not enough."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_TERMINATE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _die_with(watchdog: int) -> None:
    """Ask the kernel to end this child with its parent, also by SIGKILL (Linux, prctl(2))."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != watchdog:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the watchdog for the directory and command given as arguments, in the background."""
    if os.fork():
        # Our starter waits for this process alone, so the watchdog is never its zombie.
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    directory = Path(sys.argv[1])
    # The folder our starter happened to be in must not be kept from being removed or unmounted.
    os.chdir(directory)
    Watchdog(directory, sys.argv[2:]).run()


if __name__ == "__main__":
    main()
