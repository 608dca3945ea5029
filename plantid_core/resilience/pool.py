"""A bounded pool of links to one server."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.resilience.link import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.resilience.link import Link


class PoolExhausted(LinkError):
    """All connections are in use; it says nothing of the server."""


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Connections in use, at most allowed, and callers that wait for one."""

    in_use: int
    most: int
    waiting: int


class LinkPool:
    """At most ``most`` links; the one given back last is lent first, so that idle ones stay idle."""

    def __init__(self, dial: Callable[[], Link], *, most: int = 50, wait_s: float = 0.2) -> None:
        self._dial = dial
        self._most = most
        self._wait_s = wait_s
        self.idle: deque[Link] = deque()
        self._free = threading.Condition()
        self._open = self._waiting = 0
        self._closed = False

    def lend(self) -> tuple[Link, bool]:
        """Return a link, and whether it is new; raises `LinkError`."""
        try:
            return self.idle.pop(), False
        except IndexError:
            pass
        with self._free:
            if self._open >= self._most and not self._await_one():
                raise PoolExhausted(f"all {self._most} connections are in use")
            if self.idle:
                return self.idle.pop(), False
            self._open += 1
        try:
            return self._dial(), True
        except LinkError:
            self._gone()
            raise

    def _await_one(self) -> bool:
        self._waiting += 1
        try:
            return self._free.wait_for(
                lambda: bool(self.idle) or self._open < self._most, self._wait_s
            )
        finally:
            self._waiting -= 1

    def give_back(self, link: Link) -> None:
        """Take a link back that has no reply outstanding."""
        self.idle.append(link)
        if self._closed:
            self.close_idle()
        if self._waiting:
            with self._free:
                self._free.notify()

    def discard(self, link: Link) -> None:
        """Close a link whose state is unknown."""
        link.close()
        self._gone()

    def _gone(self) -> None:
        with self._free:
            self._open -= 1
            self._free.notify()

    def close(self) -> None:
        """Close the idle links, and each one in use when it comes back."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close the links nobody uses: after trouble each may lead to a server that is gone."""
        while True:
            try:
                link = self.idle.pop()
            except IndexError:
                return
            self.discard(link)

    def use(self) -> PoolUse:
        """Return what is in use now."""
        return PoolUse(max(0, self._open - len(self.idle)), self._most, self._waiting)
