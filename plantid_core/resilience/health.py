"""The breaker around Redis itself: one failure opens it, one background probe closes it again.

While it is open nobody waits for Redis; requests see one attribute. A probe writes, since a replica
or a server out of memory still answers PING.
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from plantid_core.resilience.breaker_settings import moment
from plantid_core.telemetry import metrics, tell
from plantid_core.telemetry.outages import OUTAGES

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.breaker_settings import BreakerReport

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 0.8


class Health:
    """Whether Redis is to be asked. ``probe`` returns quietly or raises; hooks run after a change."""

    def __init__(
        self,
        probe: Callable[[], None],
        *,
        on_down: Callable[[], None],
        on_up: Callable[[], None],
    ) -> None:
        self.up = True
        self.outages = 0
        self._down_since: float | None = None
        self._probe = probe
        self._on_down, self._on_up = on_down, on_up
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def failed(self, reason: BaseException) -> None:
        """Stop asking Redis, and let one thread find out when it is back."""
        with self._lock:
            if not self.up or self._closed.is_set():
                return
            self.up = False
            self.outages += 1
            self._down_since = time.time()
        tell("redis_down", reason=str(reason)[:200])
        metrics.moved("redis", "open", self)
        self._on_down()
        threading.Thread(target=self._watch, name="redis-probe", daemon=True).start()

    def check(self) -> bool:
        """Ask Redis now, whatever happened before; tell whether it answers."""
        try:
            self._probe()
        except Exception as error:  # noqa: BLE001 - whatever the probe met, Redis is not usable
            self.failed(error)
            return False
        self._back()
        return True

    def report(self) -> BreakerReport:
        """Return how it stands, as the services' breakers do."""
        up, since = self.up, moment(self._down_since)
        return {
            "name": "redis",
            "state": "closed" if up else "open",
            "failures": 0 if up else 1,
            "failure_rate": 0.0 if up else 1.0,
            "slow_rate": 0.0,
            "last_failure_at": since,
            "opened_at": None if up else since,
            # It is asked again and again behind the callers, and closes by itself.
            "opens_until": None,
            "forced": None,
        }

    def close(self) -> None:
        """End the watching."""
        self._closed.set()
        OUTAGES.end(self)

    def _watch(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._closed.wait(pause * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
            if self.up or self.check():
                return
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _back(self) -> None:
        with self._lock:
            if self.up:
                return
            self.up = True
        tell("redis_up")
        metrics.moved("redis", "closed", self)
        self._on_up()
