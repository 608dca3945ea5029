"""What a batch and all that works for it cost, looked at from outside while it runs."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

_LOOK_S = 0.1
_MB = 1e6
# Until then, a process is still filling what it keeps of bounded size.
_WARM = 0.25


class Watch:
    """Wall time, processor time and memory of the legs of one batch.

    A leg counts from its first call upstream: a restart is no work. Processor time is of every process
    that runs in ``folder``; ``calls`` tells how many calls upstream there have been.
    """

    def __init__(self, folder: Path, calls: Callable[[], int]) -> None:
        self._folder, self._count = folder, calls
        self.calls = 0
        self.wall_s = self.cpu_s = self.rss_mb = self.growth_mb = 0.0
        self._cpu: dict[tuple[int, float], float] = {}
        self._pid: int | None = None
        self._before = 0
        self._began: tuple[float, float] | None = None
        self._memory: list[float] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def leg(self, pid: int) -> None:
        """Begin a leg of the process."""
        with self._lock:
            self._pid, self._before, self._began = pid, self._count(), None
            self._memory.clear()

    def end(self) -> None:
        """End the leg."""
        with self._lock:
            self._look()
            if self._began is not None:
                self.wall_s += time.monotonic() - self._began[0]
                self.cpu_s += sum(self._cpu.values()) - self._began[1]
            if self._memory:
                self.rss_mb = self._memory[-1]
                warm = self._memory[int(_WARM * len(self._memory))]
                self.growth_mb = max(self.growth_mb, self.rss_mb - warm)
            self._pid = None

    def _look_on(self) -> None:
        while not self._stop.wait(_LOOK_S):
            with self._lock:
                self._look()

    def _look(self) -> None:
        if self._pid is None:
            return
        self.calls = self._count()
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if Path(process.cwd()).is_relative_to(self._folder):
                    times = process.cpu_times()
                    self._cpu[process.pid, process.create_time()] = times.user + times.system
        if self._began is None:
            if self.calls > self._before:
                self._began = time.monotonic(), sum(self._cpu.values())
            return
        with suppress(psutil.Error):
            rss = psutil.Process(self._pid).memory_info().rss
            if rss:  # nothing is left of one that has ended
                self._memory.append(rss / _MB)
