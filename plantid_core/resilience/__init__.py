"""Answers that survive: one computation a key, a cache that may be lost, no waiting on the dead."""

from __future__ import annotations

from plantid_core.resilience.breaker import Breaker, BreakerOpen
from plantid_core.resilience.strategies import NAMES, Strategy, strategy

__all__ = ["NAMES", "Breaker", "BreakerOpen", "Strategy", "strategy"]
