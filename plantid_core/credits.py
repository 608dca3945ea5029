"""Credits, the services' own money: how many were spent, and how many an answer of ours saved."""

from __future__ import annotations

import functools
import threading
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

What = Literal["spent", "saved"]
WHATS: tuple[What, ...] = ("spent", "saved")


class Spending(TypedDict):
    """Answers that a service was asked for, and answers that came without asking it."""

    spent: int
    saved: int


class Credits:
    """Counts by provider; safe to use from any number of threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, What]] = Counter()
        self._lock = threading.Lock()

    def add(self, provider: str, what: What) -> None:
        """Count one credit."""
        with self._lock:
            self._counts[provider, what] += 1

    def of(self, provider: str) -> Spending:
        """Return a provider's counts."""
        with self._lock:
            return {
                "spent": self._counts[provider, "spent"],
                "saved": self._counts[provider, "saved"],
            }

    def totals(self) -> Counter[tuple[str, What]]:
        """Return every count."""
        with self._lock:
            return self._counts.copy()


_EXPOSED: weakref.WeakSet[Credits] = weakref.WeakSet()
# Reentrant: to register a collector is to have it collect.
_EXPOSING = threading.RLock()


def expose(spending: Credits) -> None:
    """Add the counts to what Prometheus is told of this process, for as long as they live."""
    with _EXPOSING:
        _EXPOSED.add(spending)
        _register()


@functools.cache
def _register() -> None:
    from prometheus_client import REGISTRY

    REGISTRY.register(Collector())


class Collector:
    """Gives the sum of all exposed counts to a Prometheus registry when it asks for them."""

    def collect(self) -> Iterator[Metric]:
        """Return ``plantid_credits_total{provider=…,what=…}``."""
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(
            "plantid_credits", "Credits of the services", labels=["provider", "what"]
        )
        sums: Counter[tuple[str, What]] = Counter()
        with _EXPOSING:
            for spending in _EXPOSED:
                sums.update(spending.totals())
        for (provider, what), count in sorted(sums.items()):
            family.add_metric([provider, what], count)
        yield family
