"""Seconds for which a part was away."""

from __future__ import annotations

import gc

from plantid_core.telemetry.outages import Outages


class Watcher:
    """Somebody who watches a part."""


def test_an_outage_counts_while_it_lasts_and_no_longer() -> None:
    """It grows until it is ended, and then stays."""
    outages, watcher = Outages(), Watcher()

    outages.begin(watcher, "redis")
    first = outages.seconds()["redis"]
    second = outages.seconds()["redis"]
    outages.end(watcher)
    over = outages.seconds()["redis"]

    assert 0 <= first < second < over
    assert outages.seconds()["redis"] == over


def test_an_outage_is_begun_once() -> None:
    """Open, half-open, open again: the part is away from the first on."""
    outages, watcher = Outages(), Watcher()
    outages.begin(watcher, "plantnet")
    before = outages.seconds()["plantnet"]

    outages.begin(watcher, "plantnet")

    assert outages.seconds()["plantnet"] > before


def test_an_end_without_a_beginning_is_nothing() -> None:
    """Whoever is let go of may never have been away."""
    outages = Outages()

    outages.end(Watcher())

    assert outages.seconds() == {}


def test_who_is_gone_watches_nothing() -> None:
    """A breaker that nobody has any more does not count for ever."""
    outages, watcher = Outages(), Watcher()
    outages.begin(watcher, "redis")

    del watcher
    gc.collect()

    assert outages.seconds() == {}
