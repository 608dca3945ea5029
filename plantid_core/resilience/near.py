"""A bounded in-process cache whose reads take no lock.

The oldest entry leaves first, unless it was read since it was last looked at: then it is given a
second chance (the CLOCK algorithm; Corbató, "A Paging Experiment with the Multics System", 1968).
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Entry(Generic[T]):
    """A value and the time it came, on a clock that never goes back; readers set ``touched``."""

    __slots__ = ("at", "touched", "value")

    def __init__(self, at: float, value: T) -> None:
        self.at = at
        self.value = value
        self.touched = False


class Near(Generic[T]):
    """At most ``size`` values, each for ``ttl_s`` seconds."""

    def __init__(
        self, size: int, ttl_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = size
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: dict[str, Entry[T]] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> tuple[float, T] | None:
        """Return the value's age in seconds and the value, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        age = self._clock() - entry.at
        if age >= self._ttl_s:
            self.drop(key, entry)
            return None
        entry.touched = True
        return age, entry.value

    def peek(self, key: str) -> T | None:
        """Return the value however old it is, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.touched = True
        return entry.value

    def put(self, key: str, value: T) -> None:
        """Keep a value."""
        if self._size == 0:
            return
        with self._lock:
            self._entries.pop(key, None)
            while len(self._entries) >= self._size:
                self._evict()
            self._entries[key] = Entry(self._clock(), value)

    def replace(self, key: str, value: T, *, unless: Callable[[T], bool]) -> None:
        """Keep a value in the place of another, where there is one, and unless that one is better."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and not unless(entry.value):
                self._entries[key] = Entry(self._clock(), value)

    def drop(self, key: str, entry: Entry[T] | None = None) -> None:
        """Forget a key, if it still holds ``entry`` (None: whatever it holds)."""
        with self._lock:
            if entry is None or self._entries.get(key) is entry:
                self._entries.pop(key, None)

    def values(self) -> list[T]:
        """Return all values."""
        with self._lock:
            return [entry.value for entry in self._entries.values()]

    def __len__(self) -> int:
        return len(self._entries)

    def _evict(self) -> None:
        while True:
            key, entry = next(iter(self._entries.items()))
            del self._entries[key]
            if not entry.touched:
                return
            entry.touched = False
            self._entries[key] = entry
