"""XFetch: recompute a value early with a probability that rises towards its expiry.

Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", PVLDB 8(8),
2015, figure 3: recompute where ``now - Δ·β·ln(u) >= expiry``, u uniform in (0, 1].
"""

from __future__ import annotations

import math
import random

# P(-ln u > 40) = e^-40: no generator of 53 bits ever draws it.
_NEVER = 40.0


def is_early(now: float, expiry: float, delta: float, beta: float, u: float) -> bool:
    """Tell whether to recompute now. Times in seconds; ``u`` in (0, 1]."""
    return now - delta * beta * math.log(u) >= expiry


def draw() -> float:
    """Return a number uniform in (0, 1]."""
    return 1.0 - random.random()  # noqa: S311 - chances, no secrets


def calm(beta: float) -> float:
    """Return how many Δ before the expiry `is_early` begins to be possible: nobody draws before."""
    return _NEVER * beta
