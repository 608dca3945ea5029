"""Very many keys, in compiled code that keeps no rows: calls by second, and waits in bins."""

# ruff: noqa: NPY002 - compiled code draws from its thread's own stream, seeded by each run
# ruff: noqa: C901, PLR0912 - a loop of events is read as one; each call of compiled code costs

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.lab.simulate.fast_arrivals import kept

if TYPE_CHECKING:
    from plantid_core.lab.simulate.fast_arrivals import Ints
    from plantid_core.lab.workload import Floats

ALONE, LOCKED = 0, 1


@kept
def run(  # noqa: PLR0913, PLR0917 - scalars are what compiled code is fast with
    kind: int, rates: Floats, duration: float, ttl: float, delta: float, scale: float, seed: int,
    by_second: Ints, waits: Ints,
) -> None:  # fmt: skip
    """Add the calls of these keys to ``by_second`` (seconds,) and waits to ``waits`` (bins,) up to ``delta``.

    ``scale`` is βΔ, 0 for never early. See `internet.run` for what is left out.
    """
    np.random.seed(seed)
    bins = len(waits)
    for rate in rates:
        t, expiry = 0.0, -np.inf
        while True:
            # The first call for the next value: V(t) = λβΔ·e^(-(E-t)/βΔ), as in `theory`.
            need, early = -math.log(1.0 - np.random.random()), False
            if t < expiry:
                low = math.exp((t - expiry) / scale) if scale > 0.0 else 0.0
                have = rate * scale * (1.0 - low)
                if need < have:
                    t = max(t, expiry + scale * math.log(low + need / (rate * scale)))
                    early = True
                else:
                    t = expiry + (need - have) / rate
            else:
                t += need / rate
            if t >= duration:
                break
            by_second[int(t)] += 1
            end = t + delta
            if kind == LOCKED:
                # Who comes while there is no value waits for the end; so does who calls then.
                missing = min(delta, end - expiry) if early else delta
                if not early:
                    waits[bins - 1] += 1
                if missing > 0.0:
                    for _ in range(np.random.poisson(rate * missing)):
                        waits[int(np.random.random() * missing / delta * bins)] += 1
                t = end
            else:
                waits[bins - 1] += 1
                last = t
                at = t
                while True:
                    need = -math.log(1.0 - np.random.random())
                    if at < expiry:
                        low = math.exp((at - expiry) / scale) if scale > 0.0 else 0.0
                        have = rate * scale * (1.0 - low)
                        if need < have:
                            at = max(at, expiry + scale * math.log(low + need / (rate * scale)))
                        else:
                            at = expiry + (need - have) / rate
                    else:
                        at += need / rate
                    if at >= end or at >= duration:
                        break
                    by_second[int(at)] += 1
                    waits[bins - 1] += 1
                    last = at
                t = last + delta
            expiry = t + ttl
