"""Work behind a caller that already has its answer: a few threads, and a bounded queue."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

THREADS = 4
QUEUED = 64


class Behind:
    """Runs jobs in the background; its threads start with the first one."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._outstanding = 0
        self._lock = threading.Lock()

    def submit(self, job: Callable[[], None]) -> bool:
        """Run a job soon; False where there are too many, or no more are taken."""
        with self._lock:
            if self._outstanding >= QUEUED:
                return False
            if self._executor is None:
                self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="refresh")
            try:
                self._executor.submit(self._run, job)
            except RuntimeError:  # closed, or the interpreter is closing
                return False
            self._outstanding += 1
            return True

    def _run(self, job: Callable[[], None]) -> None:
        try:
            job()
        finally:
            with self._lock:
                self._outstanding -= 1

    def close(self) -> None:
        """Finish the jobs under way, and drop those that wait."""
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
