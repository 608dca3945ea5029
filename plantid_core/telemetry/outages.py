"""How long each part that is depended on has been away, in seconds."""

from __future__ import annotations

import os
import threading
import time
import weakref


class Outages:
    """Seconds by part, while a part is away as well; safe to use from any number of threads.

    Whoever watches a part (a breaker, say) begins and ends its outage. One that is let go of while
    its part is away has ended it.
    """

    def __init__(self) -> None:
        self.forked()
        self._over: dict[str, float] = {}
        self._under_way: weakref.WeakKeyDictionary[object, tuple[str, float]] = (
            weakref.WeakKeyDictionary()
        )

    def forked(self) -> None:
        """Take note, in a child, that whoever held the lock is the parent's."""
        self._lock = threading.Lock()

    def begin(self, watcher: object, part: str) -> None:
        """Note that the part is away, unless that is known of this watcher already."""
        with self._lock:
            self._under_way.setdefault(watcher, (part, time.monotonic()))

    def end(self, watcher: object) -> None:
        """Note that the part is back, or watched no longer."""
        with self._lock:
            found = self._under_way.pop(watcher, None)
            if found is not None:
                part, since = found
                self._over[part] = self._over.get(part, 0.0) + time.monotonic() - since

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each part that has been away, up to now."""
        now = time.monotonic()
        with self._lock:
            under_way = list(self._under_way.values())
            sums = dict(self._over)
        for part, since in under_way:
            sums[part] = sums.get(part, 0.0) + now - since
        return sums


OUTAGES = Outages()
os.register_at_fork(after_in_child=OUTAGES.forked)
