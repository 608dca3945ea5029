"""What was made of an object that never changes, kept for as long as it is asked for now and then."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

S = TypeVar("S")
D = TypeVar("D")

_SIZE = 512


class Derived(Generic[S, D]):
    """At most ``size`` results of ``make``, each found by the very object it was made of.

    Objects are told apart by identity, so that nothing is compared, hashed or encoded to find one; each
    is held for as long as its result is, since an identity is used again after its object. The oldest
    goes first. Safe to use from any threads: at worst two make the same at once.
    """

    def __init__(self, make: Callable[[S], D], size: int = _SIZE) -> None:
        self._make, self._size = make, size
        self._kept: dict[int, tuple[S, D]] = {}
        self._lock = threading.Lock()

    def __call__(self, source: S) -> D:
        """Return what is made of ``source``; raises what making it raises, and keeps nothing then."""
        kept = self._kept.get(id(source))
        if kept is not None:
            return kept[1]
        made = self._make(source)
        with self._lock:
            while len(self._kept) >= self._size:
                del self._kept[next(iter(self._kept))]
            self._kept[id(source)] = source, made
        return made

    def __len__(self) -> int:
        return len(self._kept)
