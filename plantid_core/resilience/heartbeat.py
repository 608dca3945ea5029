"""Keeps leases alive while their values are computed, and tells who has lost one.

One thread a process, started with the first computation. A computation can ask `lease_lost` whether
it still makes sense to go on: nobody can stop a thread from outside.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from plantid_core.resilience import lease as leases
from plantid_core.resilience.link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from plantid_core.resilience.lease import Lease, Server


class Holding:
    """A lease held by a computation under way."""

    __slots__ = ("due", "lease", "lost", "on_lost", "until")

    def __init__(
        self, lease: Lease, due: float, until: float, on_lost: Callable[[], object]
    ) -> None:
        self.lease, self.due, self.until, self.on_lost = lease, due, until, on_lost
        self.lost = False


_HELD: ContextVar[Holding | None] = ContextVar("plantid_lease", default=None)


def lease_lost() -> bool:
    """Tell a computation whether its lease is lost, so that what it makes will not be kept."""
    holding = _HELD.get()
    return holding is not None and holding.lost


class Heartbeat:
    """Renews every held lease three times in its length, for at most ``longest_s`` seconds."""

    def __init__(self, server: Server, lease_s: float, longest_s: float) -> None:
        self._server, self._lease_s, self._longest_s = server, lease_s, longest_s
        self._held: set[Holding] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    @contextmanager
    def keeping(self, lease: Lease, on_lost: Callable[[], object]) -> Iterator[Holding]:
        """Renew the lease during the enclosed work; ``on_lost`` is called if that fails."""
        now = time.monotonic()
        holding = Holding(lease, now + self._lease_s / 3, now + self._longest_s, on_lost)
        with self._changed:
            self._held.add(holding)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="lease-heartbeat", daemon=True
                )
                self._thread.start()
            elif len(self._held) == 1:
                self._changed.notify()
        token = _HELD.set(holding)
        try:
            yield holding
        finally:
            _HELD.reset(token)
            with self._changed:
                self._held.discard(holding)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (wait := self._idle_s()) > 0:
                    self._changed.wait(wait)
                if self._closed:
                    return
                now = time.monotonic()
                due = [holding for holding in self._held if holding.due <= now]
            for holding in due:
                self._beat(holding)

    def _idle_s(self) -> float:
        if not self._held:
            return 3600.0
        return min(holding.due for holding in self._held) - time.monotonic()

    def _beat(self, holding: Holding) -> None:
        now = time.monotonic()
        holding.due = now + self._lease_s / 3
        try:
            if now < holding.until and leases.renew(self._server, holding.lease, self._lease_s):
                return
        except LinkError:
            return  # not known to be lost: the commit will tell
        holding.lost = True
        with self._changed:
            self._held.discard(holding)
        holding.on_lost()
