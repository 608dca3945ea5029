"""Rivals timed in turns, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def interleaved(
    contestants: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """Return milliseconds of each contestant in each round; ``warm_up`` rounds are not counted."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(warm_up + rounds):
        for name, work in contestants.items():
            begin = time.perf_counter()
            work()
            ms = (time.perf_counter() - begin) * 1e3
            if number >= warm_up:
                taken[name].append(ms)
    return taken
