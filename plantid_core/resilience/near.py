"""A bounded in-process cache with monotonic expiry."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Near(Generic[T]):
    """Least recently used values leave first; ``ttl_s`` counts on a clock that never goes back."""

    def __init__(
        self, size: int, ttl_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = size
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> tuple[float, T] | None:
        """Return the value's age in seconds and the value, or None."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            age = self._clock() - entry[0]
            if age >= self._ttl_s:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return age, entry[1]

    def put(self, key: str, value: T) -> None:
        """Keep a value."""
        with self._lock:
            self._entries[key] = (self._clock(), value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
