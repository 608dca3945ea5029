"""Eight processes open a new database and write at once; one of them is killed with SIGKILL."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from processes import until

from plantid_core.drill.history import contend
from plantid_core.drill.history_writer import write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from plantid_core.drill.history import Tally
    from plantid_core.drill.history_writer import Setup

WRITERS = 8


class Writer:
    """A forked process that writes; it has loaded already what a new one would take long to load."""

    def __init__(self, setup: Setup) -> None:
        self._end: int | None = None
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                write(setup)
                code = 0
            finally:
                os._exit(code)

    def poll(self) -> int | None:
        if self._end is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._end = os.waitstatus_to_exitcode(status) if pid else None
        return self._end

    def wait(self, timeout: float) -> int:
        until(lambda: self.poll() is not None, timeout)
        assert self._end is not None
        return self._end

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self._pid, signal.SIGKILL)


@pytest.fixture
def begin() -> Iterator[Callable[[Setup], Writer]]:
    """Begin writers, which are gone after the test."""
    begun: list[Writer] = []

    def one(setup: Setup) -> Writer:
        begun.append(Writer(setup))
        return begun[-1]

    yield one
    for writer in begun:
        writer.kill()
        writer.wait(5)


def check(tally: Tally, writes: int) -> None:
    assert (tally.lost, tally.doubled, tally.failed_writers) == (0, 0, 0)
    assert tally.killed_after >= writes // 2
    assert tally.acknowledged == (WRITERS - 1) * writes + tally.killed_after
    assert tally.kept - tally.acknowledged == tally.unacknowledged <= 1


def test_nothing_acknowledged_is_lost_or_doubled(
    url: str, tmp_path: Path, begin: Callable[[Setup], Writer]
) -> None:
    """Forty writes each."""
    check(contend(url, tmp_path, begin, WRITERS, 40), 40)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_or_doubled_of_thousands(
    url: str, tmp_path: Path, begin: Callable[[Setup], Writer]
) -> None:
    """Five hundred writes each."""
    check(contend(url, tmp_path, begin, WRITERS, 500), 500)
