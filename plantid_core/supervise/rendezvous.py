"""Where users and watchdog of one directory meet: two lock files and a unix socket.

A unix socket's path has 103 bytes at most (macOS; 107 on Linux), and a data directory may lie
deeper: it is then reached through a symbolic link in a private folder of the temporary directory.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
import weakref
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = "lock"
SERVER_LOCK = "server.lock"
SOCKET = "watchdog.sock"

_MOST_PATH_BYTES = 103
_LONGEST_SOCKET_NAME = 16
_BACKLOG = 1024
_POLL_S = 0.005

_links: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def _close_inherited_links() -> None:
    # Only the copies are closed: a shutdown would reach the parent's connections too.
    for link in list(_links):
        link.close()


os.register_at_fork(after_in_child=_close_inherited_links)


def short(directory: Path) -> Path:
    """Return a path to the absolute ``directory`` under which sockets can be bound and reached.

    It works from any process of the same user, once `make_short` was called.
    """
    if len(os.fsencode(directory)) + 1 + _LONGEST_SOCKET_NAME <= _MOST_PATH_BYTES:
        return directory
    # Imported here because few paths need them, and the watchdog should start fast.
    import hashlib
    import tempfile

    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"plantid-{os.geteuid()}" / name


def make_short(directory: Path) -> None:
    """See to it that `short`'s link is there; raises OSError where its folder is not private."""
    link = short(directory)
    if link == directory:
        return
    link.parent.mkdir(mode=0o700, exist_ok=True)
    found = link.parent.lstat()
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not ours or found.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "not a private folder of this user", str(link.parent))
    with suppress(FileExistsError):
        link.symlink_to(directory)


def drop_short(directory: Path) -> None:
    """Remove `short`'s link, if there is one."""
    link = short(directory)
    if link != directory:
        with suppress(OSError):
            link.unlink()


def take(lock: Path) -> int | None:
    """Return a descriptor that holds the lock file until it is closed; None where it is taken."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(directory: Path, within_s: float) -> Iterator[None]:
    """Hold the directory's lock: only one process at a time starts or ends a watchdog.

    Raises TimeoutError after ``within_s`` seconds, since its holder may be suspended.
    """
    deadline = time.monotonic() + within_s
    while (lock := take(directory / LOCK)) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, "its lock is held", str(directory / LOCK))
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        os.close(lock)


def connect(directory: Path) -> socket.socket | None:
    """Return a connection to the directory's watchdog, None where there is none.

    A forked child does not keep the connection. Raises BlockingIOError where there is a watchdog
    that takes nobody in at the moment.
    """
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    _links.add(link)
    try:
        # Not blocking, since a suspended watchdog's full queue would hold us for as long.
        link.setblocking(False)  # noqa: FBT003 - the standard library's own
        link.connect(str(short(directory) / SOCKET))
        link.setblocking(True)  # noqa: FBT003 - the same
    except (FileNotFoundError, ConnectionRefusedError):
        link.close()
        return None
    except OSError:
        link.close()
        raise
    return link


def listen(directory: Path) -> socket.socket:
    """Return the watchdog's listening socket; whatever lay there before is replaced."""
    with suppress(FileNotFoundError):
        (directory / SOCKET).unlink()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(short(directory) / SOCKET))
    (directory / SOCKET).chmod(0o600)
    server.listen(_BACKLOG)
    server.setblocking(False)  # noqa: FBT003 - the standard library's own
    return server
