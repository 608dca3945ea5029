"""Side-by-side measurements on this machine; nothing else should run meanwhile."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from plantid_core.bench.report import Ratio, Report, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[str], None]

__all__ = ["NAMES", "Ratio", "Report", "Row", "run"]

_MODULES = {
    "upload": "upload",
    "attack": "attack",
    "cache-hit": "cache_hit",
    "stampede": "stampede",
    "holder-death": "holder_death",
    "redis-down": "redis_down",
    "early": "early",
    "breaker": "breaker",
    "simulate": "simulate",
    "live-vs-sim": "live_vs_sim",
    "herbarium": "herbarium",
    "batch": "batch",
    "load": "load",
}
NAMES = tuple(_MODULES)


def run(name: str, tell: Tell) -> Report:
    """Return the report of one benchmark; ``tell`` hears of its progress. Raises KeyError."""
    module = import_module(f"plantid_core.bench.{_MODULES[name]}")
    found: Report = module.run(tell)
    return found
