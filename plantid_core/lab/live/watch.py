"""A run under way, seen from the rig: it is told how far it is, may be stopped, and always ends."""

from __future__ import annotations

import time
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from plantid_core.lab.live.orders import Broke, Measured, Progress, Ready, Seen, Stop
from plantid_core.lab.live.rig import RigBroken

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.live.rig import Client

_LOOK_S = 0.25
_TELL_S = 1.0
# What a process takes to hand over what it saw, and to let go of its strategy.
_HAND_OVER_S = 5.0


class Watch:
    """The client processes of one run, which begins ``at`` and lasts ``duration_s``, monotonic seconds."""

    def __init__(
        self, clients: list[Client], strategy: str, at: float, duration_s: float, grace_s: float
    ) -> None:
        self.at = at
        self.stopped_at: float | None = None
        self._clients, self._strategy = clients, strategy
        self._duration_s, self._grace_s = duration_s, grace_s
        self._last = at + duration_s + grace_s + _HAND_OVER_S
        self._progress: dict[int, Progress] = {}
        self._seen: dict[int, Seen] = {}
        self._told_at = 0.0

    def until(self, when: float, say: Callable[[str], object], stop: Callable[[], bool]) -> None:
        """Watch until a time, or the run's end."""
        while self._open() and (left := when - time.monotonic()) > 0:
            self._look(min(left, _LOOK_S))
            self._tell(say)
            if self.stopped_at is None and stop():
                self._stop()

    def finish(self, say: Callable[[str], object], stop: Callable[[], bool]) -> list[Seen]:
        """Return what each process saw, once all is over.

        A process that does not come to its end is killed, so that the rig can be used again.
        """
        self.until(self._last, say, stop)
        for number, client in enumerate(self._clients):
            seen = self._seen.get(number)
            if seen is None or seen.unanswered:
                client.kill()
        if len(self._seen) < len(self._clients):
            raise RigBroken(
                f"A client process did not come to the end of its run of {self._strategy}."
            )
        return [self._seen[number] for number in range(len(self._clients))]

    def _open(self) -> list[int]:
        return [number for number in range(len(self._clients)) if number not in self._seen]

    def _look(self, seconds: float) -> None:
        lines = {self._clients[number].line: number for number in self._open()}
        for line in wait(list(lines), seconds):
            number = next(one for known, one in lines.items() if known is line)
            try:
                self._hear(number)
            except RigBroken:
                self._kill_all()
                raise

    def _hear(self, number: int) -> None:
        match told := self._clients[number].receive(_HAND_OVER_S):
            case Seen():
                self._seen[number] = told
            case Progress():
                self._progress[number] = told
            case Broke(traceback):
                raise RigBroken(f"A client process could not go on: {_last_line(traceback)}")
            case Ready() | Measured():
                pass

    def _kill_all(self) -> None:
        # What they were told to do goes on otherwise, in the way of the next run.
        for client in self._clients:
            if client.well:
                client.kill()

    def _stop(self) -> None:
        now = time.monotonic()
        self.stopped_at = now
        self._last = min(self._last, now + self._grace_s + _HAND_OVER_S)
        for number in self._open():
            self._clients[number].send(Stop())

    def _tell(self, say: Callable[[str], object]) -> None:
        now = time.monotonic()
        if now - self._told_at < _TELL_S or not self._progress:
            return
        self._told_at = now
        answers = sum(one.answers for one in self._progress.values())
        calls = sum(one.calls for one in self._progress.values())
        passed = min(max(0.0, now - self.at), self._duration_s)
        say(
            f"{self._strategy}: {passed:.0f} of {self._duration_s:.0f} s, {answers} answers,"
            f" {calls} calls upstream"
        )


def _last_line(traceback: str) -> str:
    return traceback.strip().rpartition("\n")[2][:300]
