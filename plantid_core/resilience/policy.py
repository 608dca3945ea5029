"""How long a value may be used, and when it is made anew; all durations in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """What a cache promises.

    Until its *soft* expiry a value is fresh; from then to its *hard* expiry it is stale: served at
    once while one refresh runs behind it (``stale_while_refreshing``), or only where the refresh
    failed. ``jitter`` draws each soft TTL from [1 - jitter, 1] times its length, so that values made
    together do not expire together. ``beta`` scales early recomputation (0: never early).
    ``error_ttl_s`` keeps a failed computation's error for those who come after it (0: not at all).
    """

    soft_ttl_s: float = 1800.0
    hard_ttl_s: float = 86400.0
    negative_ttl_s: float = 600.0
    error_ttl_s: float = 0.0
    jitter: float = 0.0
    beta: float = 1.0
    stale_while_refreshing: bool = True
    stale_on_error: bool = True
    near_size: int = 4096
    lease_s: float = 1.5
    longest_compute_s: float = 120.0

    def __post_init__(self) -> None:
        if not 0 < self.soft_ttl_s <= self.hard_ttl_s:
            raise ValueError(
                f"the soft TTL must be above 0 and at most the hard TTL, {self.hard_ttl_s:g} s;"
                f" it is {self.soft_ttl_s:g} s"
            )
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter must be in [0, 1); it is {self.jitter:g}")
        for name in ("negative_ttl_s", "lease_s", "longest_compute_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0; it is {getattr(self, name):g}")
        if min(self.beta, self.error_ttl_s, self.near_size) < 0:
            raise ValueError("beta, error_ttl_s and near_size must not be below 0")
