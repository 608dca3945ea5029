"""Where users and watchdog of one directory meet: a lock file and a unix socket.

A unix socket's path may have 107 bytes; a data directory may lie deeper. Both sides therefore go
through ``/proc/self/fd/N``, the directory held open, where the path would be too long.
"""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = "lock"
SOCKET = "watchdog.sock"

MOST_PATH_BYTES = 107


@contextmanager
def address(directory: Path, name: str) -> Iterator[str]:
    """Give a path to the socket ``name`` in ``directory`` that is short enough to bind or connect."""
    path = str(directory / name)
    if len(os.fsencode(path)) <= MOST_PATH_BYTES:
        yield path
        return
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{name}"
    finally:
        os.close(folder)


def open_lock(directory: Path) -> int:
    """Return a descriptor of the directory's lock file, not yet locked."""
    return os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock: only one process at a time starts or ends a watchdog."""
    lock = open_lock(directory)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def connect(directory: Path) -> socket.socket | None:
    """Return a connection to the directory's watchdog, None where there is none."""
    with suppress(OSError), address(directory, SOCKET) as path:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(5.0)
            link.connect(path)
            link.settimeout(None)
        except OSError:
            link.close()
            return None
        return link
    return None


def listen(directory: Path) -> socket.socket:
    """Return the watchdog's listening socket; whatever lay there before is replaced."""
    with suppress(FileNotFoundError):
        (directory / SOCKET).unlink()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with address(directory, SOCKET) as path:
        server.bind(path)
    (directory / SOCKET).chmod(0o600)
    server.listen(128)
    server.setblocking(False)  # noqa: FBT003 - the standard library's own
    return server
