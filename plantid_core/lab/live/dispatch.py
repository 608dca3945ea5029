"""The open loop in a client process: every request is sent when it is due, whatever became of others.

A closed loop would wait for slow answers before it asks again, and so hide how many wait
(Schroeder, Wierman, Harchol-Balter, "Open Versus Closed: A Cautionary Tale", NSDI 2006).
"""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.lab.live.orders import Answers, Calls, Progress, Seen

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.live.orders import Share
    from plantid_core.resilience import Strategy

# How soon a stop is noticed by a thread whose next request is far off.
_LONGEST_NAP_S = 0.5


class Dispatch:
    """Threads that take one request after another, sleep until it is due, and send it."""

    def __init__(self, share: Share, strategy: Strategy, call: Callable[[], object]) -> None:
        self._share, self._strategy, self._call = share, strategy, call
        self._due: list[float] = (share.times_s + share.at).tolist()
        self._keys: list[int] = share.keys.tolist()
        self._taking = threading.Lock()
        self._tickets = iter(range(len(self._due)))
        self._stopped = False
        self._sent = 0
        # Rows are appended whole, so that threads need no lock to add theirs.
        self._answers: list[tuple[int, float, float, float, bool]] = []
        self._calls: list[tuple[float, float, int, bool]] = []
        self._threads = [
            threading.Thread(target=self._serve, daemon=True, name=f"live-{number}")
            for number in range(min(share.threads, len(self._due)))
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send nothing more; what was sent is still waited for."""
        self._stopped = True

    def wait(self, seconds: float) -> bool:
        """Wait for the end, for so long at most; tell whether all is answered."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def progress(self) -> Progress:
        """Return how far it is."""
        return Progress(len(self._answers), len(self._calls))

    def seen(self) -> Seen:
        """Return what was seen so far."""
        answers, calls = list(self._answers), list(self._calls)
        index, begin, end, made, ran = zip(*answers, strict=True) if answers else [()] * 5
        starts, ends, keys, failed = zip(*calls, strict=True) if calls else [()] * 4
        return Seen(
            Answers(
                np.array(index, np.int64),
                np.array(begin, np.float64),
                np.array(end, np.float64),
                np.array(made, np.float64),
                np.array(ran, np.bool_),
            ),
            Calls(
                np.array(starts, np.float64),
                np.array(ends, np.float64),
                np.array(keys, np.int64),
                np.array(failed, np.bool_),
            ),
            unanswered=(self._sent if self._stopped else len(self._due)) - len(answers),
        )

    def _serve(self) -> None:
        while (index := self._take()) is not None:
            if not self._until(self._due[index]):
                return
            self._send(index)

    def _take(self) -> int | None:
        with self._taking:
            return next(self._tickets, None)

    def _until(self, due: float) -> bool:
        """Sleep until then; False where all was stopped meanwhile."""
        while (left := due - time.monotonic()) > 0 and not self._stopped:
            time.sleep(min(left, _LONGEST_NAP_S))
        return not self._stopped

    def _send(self, index: int) -> None:
        with self._taking:
            self._sent += 1
        key = self._keys[index]
        maker = _Maker(key, self._call, self._calls)
        begin = time.monotonic()
        try:
            value: object = self._strategy.get(f"{self._share.prefix}{key}", maker.make)
        except Exception:  # noqa: BLE001 - whatever it was, the request has no value
            value = None
        end = time.monotonic()
        made = value.get("made", math.nan) if isinstance(value, dict) else math.nan
        self._answers.append((index, begin, end, made, maker.ran))


class _Maker:
    """Makes one request's value, should it come to that: one call upstream, written down."""

    __slots__ = ("_call", "_calls", "_key", "_thread", "ran")

    def __init__(
        self, key: int, call: Callable[[], object], calls: list[tuple[float, float, int, bool]]
    ) -> None:
        self._key, self._call, self._calls = key, call, calls
        self._thread = threading.get_ident()
        self.ran = False

    def make(self) -> dict[str, float]:
        """Return a value that tells when it was made."""
        failed, begin = True, time.monotonic()
        try:
            self._call()
            failed = False
        finally:
            end = time.monotonic()
            self._calls.append((begin, end, self._key, failed))
        # A refresh in the background is made by another thread, and nobody waits for it.
        self.ran = self.ran or threading.get_ident() == self._thread
        return {"made": end}
