"""The most memory a stretch of work took: VmHWM of Linux, set back before it (proc(5))."""

from __future__ import annotations

import os
import re
import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

_HIGH_WATER = re.compile(rb"VmHWM:\s+(\d+) kB")
_RESIDENT = re.compile(rb"VmRSS:\s+(\d+) kB")
_SET_BACK = b"5"


class PeakMemory:
    """Measures one stretch after another; holds its files open, since a worker can open none.

    Where there is no /proc, the peak since the process began is all that can be told.
    """

    def __init__(self) -> None:
        try:
            self._status = os.open("/proc/self/status", os.O_RDONLY)
            self._set_back = os.open("/proc/self/clear_refs", os.O_WRONLY)
        except OSError:
            self._status = self._set_back = -1
        self._base = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        for descriptor in (self._status, self._set_back):
            if descriptor >= 0:
                os.close(descriptor)
        self._status = self._set_back = -1

    def begin(self) -> None:
        """Begin a stretch."""
        if self._set_back >= 0:
            os.pwrite(self._set_back, _SET_BACK, 0)
        self._base = self._read(_RESIDENT)

    def taken(self) -> int:
        """Return how many bytes above its beginning the stretch has taken at most."""
        return max(0, self._read(_HIGH_WATER) - self._base)

    def total(self) -> int:
        """Return the high-water mark itself."""
        return self._read(_HIGH_WATER)

    def _read(self, pattern: re.Pattern[bytes]) -> int:
        if self._status < 0:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        found = pattern.search(os.pread(self._status, 8192, 0))
        return int(found[1]) * 1024 if found else 0
