"""What this process has done since it began, for a page to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from plantid_core.telemetry.outages import OUTAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

_SERVED_FROM_CACHE = frozenset({"near", "redis", "stale"})


@dataclass(frozen=True, slots=True)
class Totals:
    """Identifications, answers of providers, credits of the services, seconds without a part.

    ``from_cache`` are answers that no service had to be asked for, ``upstream`` those that one gave.
    """

    answered: int
    unanswered: int
    by_rung: Mapping[str, int]
    from_cache: int
    upstream: int
    credits_spent: int
    credits_saved: int
    throttled: int
    degraded_s: Mapping[str, float]

    @property
    def cache_rate(self) -> float | None:
        """Return the share of the services' answers that came from a cache, None before the first."""
        both = self.from_cache + self.upstream
        return self.from_cache / both if both else None


def totals() -> Totals:
    """Return what has been counted in this process up to now."""
    rungs = _by_label("plantid_identifications_total", "rung")
    sources = _by_label("plantid_answers_total", "source")
    credited = _by_label("plantid_credits_total", "what")
    return Totals(
        answered=sum(count for rung, count in rungs.items() if rung != "none"),
        unanswered=rungs.get("none", 0),
        by_rung=rungs,
        from_cache=sum(count for name, count in sources.items() if name in _SERVED_FROM_CACHE),
        upstream=sources.get("upstream", 0),
        credits_spent=credited.get("spent", 0),
        credits_saved=credited.get("saved", 0),
        throttled=sum(_by_label("plantid_throttled_total", "scope").values()),
        degraded_s=OUTAGES.seconds(),
    )


def _by_label(sample_name: str, label: str) -> dict[str, int]:
    from prometheus_client import REGISTRY

    sums: dict[str, int] = {}
    for family in REGISTRY.restricted_registry([sample_name]).collect():
        for sample in family.samples:
            if sample.name == sample_name:
                value = sample.labels[label]
                sums[value] = sums.get(value, 0) + int(sample.value)
    return sums
