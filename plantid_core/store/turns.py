"""Changes that touch a database and a folder take turns, and leave a mark while they are under way.

Neither store can undo the other's half after a crash. Whoever comes next finds the mark, and puts right
what lies there before doing anything else.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import orjson

from plantid_core.errors import StorageFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_POLL_S = 0.005
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Turns:
    """Turns in ``folder``, which is made on first use, among all threads and processes.

    ``mend`` is called with each owner whose change was not finished.
    """

    def __init__(self, folder: Path, mend: Callable[[str], None], wait_s: float = 10.0) -> None:
        self._lock, self._mark = folder / "lock", folder / "unfinished"
        self._folder, self._mend, self._wait_s = folder, mend, wait_s

    @contextmanager
    def take(self, owners: Sequence[str]) -> Iterator[None]:
        """Hold the turn for a change of what these owners keep.

        Where the change raises it is mended at once, or else by whoever comes next. Raises
        `StorageFailed` where the folder cannot be used, or another holds the turn for too long.
        """
        with self._locked():
            self._put_right()
            with _explained(self._folder):
                self._write(owners)
            try:
                yield
            except BaseException:
                # The first error says more; what cannot be mended now is left to the next turn.
                with suppress(Exception):
                    self._put_right()
                raise
            with _explained(self._folder):
                self._mark.unlink(missing_ok=True)

    def _put_right(self) -> None:
        with _explained(self._folder):
            try:
                left = self._mark.read_bytes()
            except FileNotFoundError:
                return
        # A mark that was half written belongs to a change that had not begun.
        owners: list[str] = []
        with suppress(orjson.JSONDecodeError):
            owners = orjson.loads(left)
        for owner in owners:
            self._mend(owner)
        with _explained(self._folder):
            self._mark.unlink(missing_ok=True)

    def _write(self, owners: Sequence[str]) -> None:
        descriptor = os.open(self._mark, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(list(owners)))
            file.flush()
            os.fsync(file.fileno())
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with _explained(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(descriptor)
            yield
        finally:
            # Not by closing alone: a child forked meanwhile holds a copy of the descriptor.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = "Another process is changing what is kept: try again in a moment."
                    raise StorageFailed("busy", message) from None
            time.sleep(_POLL_S)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            message = f"The disk under {folder} is full: free space there, then try again."
            raise StorageFailed("full", message) from error
        message = f"{folder} cannot be used ({error.strerror}): let the app's user write there."
        raise StorageFailed("io", message) from error
