"""Three formulas for recomputing early: as a well-known write-up has it, its sign mended, and XFetch.

All are asked at each request, with u uniform in (0, 1]: now - birth is ``elapsed``, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from plantid_core.lab.workload import arrivals
from plantid_core.resilience.early import is_early

if TYPE_CHECKING:
    from collections.abc import Callable

    from plantid_core.lab.workload import Floats, Workload

    Rule: TypeAlias = Callable[["Workload", float, float], bool]


def as_written(workload: Workload, elapsed: float, u: float) -> bool:
    """Tell whether ``elapsed + ttl·β·ln(u) >= ttl``: the term is never above 0, so never early."""
    ttl = workload.ttl_s
    return bool(elapsed + ttl * workload.beta * np.log(u) >= ttl)


def sign_mended(workload: Workload, elapsed: float, u: float) -> bool:
    """Tell whether ``elapsed - ttl·β·ln(u) >= ttl``: the scale is the TTL, not the time it takes."""
    ttl = workload.ttl_s
    return bool(elapsed - ttl * workload.beta * np.log(u) >= ttl)


def xfetch(workload: Workload, elapsed: float, u: float) -> bool:
    """Tell what XFetch does: ``elapsed - Δ·β·ln(u) >= ttl`` (Vattani et al. 2015, figure 3)."""
    return is_early(elapsed, workload.ttl_s, workload.recompute.mean_s, workload.beta, u)


RULES: Final[dict[str, Rule]] = {
    "as written": as_written,
    "sign mended": sign_mended,
    "XFetch": xfetch,
}


def chance(rule: str, workload: Workload, elapsed: Floats) -> Floats:
    """Return the probability that a request recomputes so long after the value's birth, before its TTL."""
    if rule == "as written":
        return np.zeros_like(elapsed)
    scale = workload.ttl_s if rule == "sign mended" else workload.recompute.mean_s
    drawn: Floats = np.exp(-(workload.ttl_s - elapsed) / (workload.beta * scale))
    return drawn


@dataclass(frozen=True, slots=True)
class Told:
    """Requests, those that recomputed, and of these those whose value had not expired."""

    requests: int
    recomputed: int
    early: int


def traffic(rule: str, workload: Workload, seed: int) -> Told:
    """Return what a rule does to one key's requests: recomputing inline, without a lock."""
    rng = np.random.default_rng(seed)
    asked = arrivals(workload, rng).times_s
    draws = 1.0 - rng.random(len(asked))
    born, coming = -np.inf, list[float]()
    recomputed = early = 0
    for now, u in zip(asked.tolist(), draws.tolist(), strict=True):
        while coming and coming[0] <= now:
            born = coming.pop(0)
        elapsed = now - born
        over = elapsed >= workload.ttl_s
        if over or RULES[rule](workload, elapsed, u):
            recomputed += 1
            early += not over
            coming.append(now + workload.recompute.mean_s)
    return Told(len(asked), recomputed, early)
