"""Whether a data directory is in use: whoever uses it holds a lock that many may share."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from plantid_core.supervise import rendezvous

if TYPE_CHECKING:
    from pathlib import Path

LOCK = "in-use.lock"
_SERVERS = ("valkey", "sandbox")


class Hold:
    """Keeps the directory marked as in use until it is closed, or its process ends.

    A directory that no lock can be had in is used without one.
    """

    def __init__(self, data_dir: Path) -> None:
        self._descriptor: int | None = None
        with suppress(OSError):
            path = data_dir / LOCK
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                raise
            self._descriptor = descriptor

    def close(self) -> None:
        """Let go."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def in_use(data_dir: Path) -> bool:
    """Tell whether a process uses the directory, or a server that lies in it runs."""
    for name in _SERVERS:
        try:
            link = rendezvous.connect((data_dir / name).absolute())
        except BlockingIOError:
            return True
        except OSError:
            continue
        if link is not None:
            link.close()
            return True
    try:
        descriptor = os.open(data_dir / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
