"""Early recomputation on a virtual clock: the lease's refresh beside XFetch alone.

Requests come as a Poisson process to one key whose recomputation takes Δ. Each expiry is driven
through the protocol's own generators on the modelled Redis; only requests that cannot matter, those
so early that no draw could make them recompute, are not made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.lab.schedules.redis_model import RedisModel
from plantid_core.resilience.effects import Acquire, Await, Commit, Compute, Computed, Read
from plantid_core.resilience.envelope import Envelope
from plantid_core.resilience.policy import Policy
from plantid_core.resilience.protocol import Surroundings, pursue, refresh

if TYPE_CHECKING:
    from plantid_core.resilience.effects import Answer, Landing, Steps

_EPOCH_S = 1.7e9
_TTL_S = 60.0
_DELTA_S = 0.2
# P(-ln u > 37) = e^-37: below what a float of 53 bits can draw.
_WINDOW = 37.0


@dataclass
class _Counts:
    computes: int = 0
    waited: int = 0


class _Key:
    """One key, one fleet, a virtual clock."""

    def __init__(self, beta: float, seed: int, rate: float) -> None:
        self.now = _EPOCH_S
        self.policy = Policy(soft_ttl_s=_TTL_S, hard_ttl_s=_TTL_S, beta=beta)
        self.redis = RedisModel(lambda: self.now)
        self.rng = np.random.default_rng(seed)
        self.rate = rate
        self.u = 1.0
        self.counts = _Counts()
        self.around = Surroundings(self.policy, lambda: self.now, lambda: self.u, lambda _: None)
        self._pending: tuple[float, Steps, Computed] | None = None

    def expiry(self) -> float:
        blob = self.redis.blob
        envelope = None if blob is None else Envelope.unpack(blob)
        return self.now if envelope is None else envelope.soft_expiry

    def request(self, at: float, u: float) -> None:
        """Let one request come, after whatever was to be finished before it."""
        self.finish(at)
        self.now, self.u = at, u
        landing = self._run(pursue(self.around))
        if landing is not None and landing.refresh:
            self._run(refresh(self.around, landing.envelope), behind=True)

    def finish(self, until: float) -> None:
        """End the computation under way, if it ends by then."""
        if self._pending is not None and self._pending[0] <= until:
            at, steps, done = self._pending
            self._pending, self.now = None, at
            self._run(steps, done)

    def _run(self, steps: Steps, reply: Answer = None, *, behind: bool = False) -> Landing | None:
        try:
            while True:
                effect = steps.send(reply)
                match effect:
                    case Read():
                        reply = self.redis.get()
                    case Acquire(known):
                        reply = self.redis.acquire("k", "t", self.policy.lease_s, known)
                    case Commit(lease, blob, keep_s):
                        reply = self.redis.commit(lease, blob, keep_s)
                    case Compute():
                        self.counts.computes += 1
                        self.counts.waited += not behind
                        done = Computed("value", b"1", _DELTA_S)
                        self._pending = (self.now + _DELTA_S, steps, done)
                        return None
                    case Await():
                        self.counts.waited += 1
                        return None
        except StopIteration as stop:
            landing: Landing | None = stop.value
            return landing


def simulate(
    expiries: int = 1000, load: float = 200.0, beta: float = 1.0, seed: int = 1
) -> dict[str, float]:
    """Return recomputations per expiry of ``lease`` and of XFetch alone, and requests that waited.

    ``load`` is λΔ, requests per recomputation time. XFetch alone makes e^(1/β) recomputations
    (Vattani et al. 2015, theorem on stampede size).
    """
    key = _Key(beta, seed, load / _DELTA_S)
    key.request(key.now, 1.0)
    key.finish(key.now + _DELTA_S)
    key.counts.computes = key.counts.waited = 0
    alone = 0
    for _ in range(expiries):
        arrivals, draws = _requests(key)
        gap = -_DELTA_S * beta * np.log(draws)
        early = np.flatnonzero(arrivals + gap >= key.expiry())
        first = int(early[0])
        alone += int(np.count_nonzero(arrivals[early] < arrivals[first] + _DELTA_S))
        last = int(np.searchsorted(arrivals, arrivals[first] + 2 * _DELTA_S))
        for number in range(max(0, first - 5), last):
            key.request(float(arrivals[number]), float(draws[number]))
        key.finish(float(arrivals[last - 1]) + _DELTA_S)
    return {
        "lease_recomputes": key.counts.computes / expiries,
        "lease_waited": float(key.counts.waited),
        "xfetch_recomputes": alone / expiries,
    }


def _requests(key: _Key) -> tuple[np.ndarray, np.ndarray]:
    """Return times and draws of the requests from where the first may be early to past the expiry."""
    begin = key.expiry() - _WINDOW * _DELTA_S * key.policy.beta
    end = key.expiry() + 5 * _DELTA_S
    count = int((end - begin) * key.rate * 1.3) + 100
    times = begin + np.cumsum(key.rng.exponential(1 / key.rate, count))
    return times[times < end], 1.0 - key.rng.random(int((times < end).sum()))
