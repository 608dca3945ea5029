"""Events of a cache, counted without a lock, and handed to Prometheus."""

from __future__ import annotations

import functools
import itertools
import threading
import weakref
from typing import TYPE_CHECKING, get_args

from plantid_core.resilience.effects import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client import Metric

EVENTS: tuple[Event, ...] = get_args(Event)


class Counters:
    """A count an event. ``next`` on an `itertools.count` is one step of the interpreter."""

    def __init__(self) -> None:
        self._counts = {event: itertools.count() for event in EVENTS}

    def add(self, event: Event) -> None:
        """Count one event."""
        next(self._counts[event])

    def adder(self, event: Event) -> Callable[[], int]:
        """Return the fastest way to count one event."""
        return self._counts[event].__next__

    def totals(self) -> Mapping[Event, int]:
        """Return every count."""
        return {event: _value(count) for event, count in self._counts.items()}


def _value(count: itertools.count[int]) -> int:
    """Return the next number without taking it; to copy a counter is no longer possible from 3.14 on."""
    return int(repr(count).removeprefix("count(").removesuffix(")"))


_EXPOSED: weakref.WeakSet[Counters] = weakref.WeakSet()
# Reentrant: to register a collector is to have it collect.
_EXPOSING = threading.RLock()


def expose(counters: Counters) -> None:
    """Add the counts to what Prometheus is told of this process, for as long as they live."""
    with _EXPOSING:
        _EXPOSED.add(counters)
        _register()


@functools.cache
def _register() -> None:
    from prometheus_client import REGISTRY

    REGISTRY.register(Collector())


class Collector:
    """Gives the sum of all exposed counts to a Prometheus registry when it asks for them."""

    def collect(self) -> Iterator[Metric]:
        """Return ``plantid_cache_events_total{event=…}``."""
        from prometheus_client.core import CounterMetricFamily

        family = CounterMetricFamily(
            "plantid_cache_events", "Events of the shared cache", labels=["event"]
        )
        with _EXPOSING:
            totals = [counters.totals() for counters in _EXPOSED]
        for event in EVENTS:
            family.add_metric([event], sum(each[event] for each in totals))
        yield family
