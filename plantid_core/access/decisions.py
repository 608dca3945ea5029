"""Decisions that are kept for a moment, so that most requests need no database."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

K = TypeVar("K", bound="Hashable")
D = TypeVar("D")

# How long a decision stands unasked, and how long where the database cannot be asked.
KEPT_S, BELIEVED_S = 2.0, 60.0


@dataclass(frozen=True, slots=True)
class _Decision(Generic[D]):
    decided: D
    stands_until: float
    believed_until: float


class Decisions(Generic[K, D]):
    """At most ``most`` decisions, the oldest of which makes room; threads may share them."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[K, _Decision[D]] = {}
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._kept)

    def at_hand(self, key: K) -> D | None:
        """Return a decision that stands, None where it must be made; waits for nobody."""
        kept = self._kept.get(key)
        return None if kept is None or self._clock() >= kept.stands_until else kept.decided

    def begin(self) -> int:
        """Return a mark of now, to `keep` a decision with that is made after it."""
        return self._epoch

    def keep(self, key: K, decided: D, begun: int, lasts_s: float = math.inf) -> None:
        """Keep a decision, true for ``lasts_s`` seconds, unless all were forgotten since it was begun."""
        now = self._clock()
        one = _Decision(decided, now + min(KEPT_S, lasts_s), now + min(BELIEVED_S, lasts_s))
        with self._lock:
            if begun != self._epoch:
                return
            self._kept.pop(key, None)
            self._kept[key] = one
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def believed(self, key: K) -> D | None:
        """Return what was decided a while ago, which then stands for another moment; None: nothing."""
        with self._lock:
            kept, now = self._kept.get(key), self._clock()
            if kept is None or now >= kept.believed_until:
                return None
            until = min(now + KEPT_S, kept.believed_until)
            self._kept[key] = replace(kept, stands_until=until)
            return kept.decided

    def forget(self) -> None:
        """Forget all, also what is being decided now."""
        with self._lock:
            self._epoch += 1
            self._kept.clear()
