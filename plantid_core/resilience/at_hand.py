"""What a cache has in this process, told without waiting for anything."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from plantid_core.resilience.cache import NEAR, STALE
from plantid_core.resilience.driver import Cached

if TYPE_CHECKING:
    from plantid_core.resilience.cache import Cache


def at_hand(cache: Cache, key: str) -> Cached | None:
    """Return the near value that `Cache.get` would return at once, None where it has more to do."""
    found = glimpse(cache, key)
    if found is not None:
        cache.counters.add("near_hit")
    return found


def glimpse(cache: Cache, key: str) -> Cached | None:
    """Do what `at_hand` does, and count nothing."""
    kept = cache.near.peek(key)
    if kept is None or time.monotonic() >= kept.calm_until:
        return None
    return Cached(kept.value, NEAR, max(0.0, time.time() - kept.envelope.stored))


def last_resort(cache: Cache, key: str) -> Cached | None:
    """Return the near value for a caller who has waited in vain, where it may still be used."""
    kept, now = cache.near.peek(key), time.time()
    if kept is None or kept.envelope.hard_expiry <= now or not cache.policy.stale_on_error:
        return None
    stale = now >= kept.envelope.soft_expiry
    cache.counters.add("stale" if stale else "near_hit")
    return Cached(kept.value, STALE if stale else NEAR, max(0.0, now - kept.envelope.stored))
